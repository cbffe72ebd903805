// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "vitrum/engine.h"
#include "vitrum/image.h"

namespace vitrum {

struct RestoreOptions {
    int tile = -1;  ///< largest side of a tile in input pixels; 0: never tile; −1: only where memory asks for it
    int tile_overlap = -1;  ///< input pixels shared by neighbouring tiles and blended; −1: the model's default
    /// What this process may have in memory in all, the picture and the result included; 0: what it has, and
    /// most of what the machine (or the process's cgroup) has free.
    std::uint64_t memory_bytes = 0;
    Progress progress = nullptr;
    bool approximate = false;  ///< tiles also where the network mixes the whole picture, so that they change the result
};

struct RestoreReport {
    Image image;
    int tiles = 1;
    int tile_width = 0, tile_height = 0;  ///< of the tiles used; the picture's own size where it was not tiled
    int retries = 0;                      ///< how often smaller tiles were taken after an allocation had failed
    Reruns reruns = {};                   ///< of tiles; a grey network on a colour picture runs three times a tile
    double compute_seconds = 0;
};

/// Super-resolution, denoising, JPEG artefact removal: a picture in, the restored picture out, at its own
/// sample type, with its alpha (enlarged by bicubic interpolation), colour profile and metadata.
/// A grey model on a colour picture restores each channel; a colour model on a grey picture gives grey.
/// Throws Error: usage for tiles that would change the result; out_of_memory where even the smallest tile does
/// not fit; accuracy where the network gave NaN or Inf.
[[nodiscard]] VITRUM_API RestoreReport restore(Session& session, Image const& picture,
                                               RestoreOptions const& options = {});

}  // namespace vitrum
