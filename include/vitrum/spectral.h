// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "vitrum/cube.h"
#include "vitrum/engine.h"
#include "vitrum/image.h"

namespace vitrum {

/// How samples become the network's input.
enum class Normalisation {
    original,  ///< as the networks were trained: (x − min) / (max − min) over all samples of a picture; a
               ///< snapshot times 2 / bands
    none,      ///< full scale is 1 (8-bit samples / 255); a snapshot as it is
};

struct SpectralOptions {
    Normalisation normalisation = Normalisation::original;
    bool clip = true;  ///< the result to 0 … 1, as the original test code does
    /// Allows tiles where the network looks at the whole picture at once, so that they change the answer.
    bool approximate = false;
    int tile = -1;                   ///< largest side of a tile; 0: never tile; −1: only where memory asks for it
    int tile_overlap = -1;           ///< pixels shared by neighbouring tiles and blended; −1: the model's default
    std::uint64_t memory_bytes = 0;  ///< what this process may have in memory in all; 0: most of what is free
    Progress progress = nullptr;
};

struct SpectralReport {
    Cube cube;
    bool alpha_ignored = false;
    std::int64_t clipped = 0;  ///< values outside 0 … 1 before clipping
    int tiles = 1, tile_width = 0, tile_height = 0, retries = 0;
    Reruns reruns = {};  ///< of tiles
    double compute_seconds = 0;
};

/// From an RGB picture to its spectrum. Samples are taken as they are encoded, without regard to a colour
/// profile, as the networks were trained; alpha is ignored. Throws Error: usage for a model that does not turn
/// RGB into bands, for a grey picture, which holds no colour to rebuild a spectrum from, and for tiles without
/// `approximate`; out_of_memory; accuracy where the network gave NaN or Inf.
[[nodiscard]] VITRUM_API SpectralReport spectral(Session& session, Image const& picture,
                                                 SpectralOptions const& options = {});

/// Numbers from a file, the last index running fastest.
struct Measurement {
    std::string name;  ///< of the file, for error texts
    std::vector<std::int64_t> shape;
    std::vector<float> values;
    bool full_scale = false;  ///< from a picture of integer samples: 1 is their white
};

/// Reads .npy, .mat (5 to 7.3; of several variables the one named as in "file.mat:mask") and grey pictures.
[[nodiscard]] VITRUM_API Measurement load_measurement(std::filesystem::path const& path);

/// Whether a network rebuilds cubes from a coded-aperture snapshot (CASSI) and its mask, rather than from RGB.
[[nodiscard]] VITRUM_API bool takes_snapshot(Engine const& engine);

/// From a coded-aperture snapshot to its cube. `snapshot` is the detector's picture [H, W + 2·(bands − 1)], band
/// i moved by 2·i columns, or the bands already moved back [H, W, bands]; `mask` the coded aperture [H, W], or
/// its bands moved [H, W + 2·(bands − 1), bands]. Throws Error (usage) where shapes do not fit the network.
[[nodiscard]] VITRUM_API SpectralReport spectral(Session& session, Measurement const& snapshot, Measurement const& mask,
                                                 SpectralOptions const& options = {});

}  // namespace vitrum
