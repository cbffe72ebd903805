// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vitrum/export.h"
#include "vitrum/sizes.h"

namespace vitrum {

/// One deduced property of a network and what it was deduced from.
struct Hyperparameter {
    std::string name;      ///< "embed_dim"
    std::string value;     ///< "180"
    std::string evidence;  ///< "conv_first.weight [180, 3, 3, 3]" or "convention: …"
};

/// Which pipeline turns files into the network's inputs and its outputs into files.
enum class Task {
    restore,   ///< a picture into a better or larger picture: vitrum/restore.h
    spectral,  ///< a picture into a spectral cube
    segment,   ///< a picture into labelled regions
    tensors,   ///< whatever an ONNX file takes and gives: for callers with tensors of their own
};

/// What segmenting needs to know about a network beside its graph. The defaults are Mask2Former's.
struct SegmentationInfo {
    std::vector<std::string> class_names;  ///< by class index, without "nothing"; empty where no file names them
    std::array<float, 3> pixel_mean = {123.675F, 116.28F, 103.53F};  ///< of R, G, B in 0…255
    std::array<float, 3> pixel_std = {58.395F, 57.12F, 57.375F};
    /// How Hugging Face's image processor resizes: the shorter side to this, the longer at most to that, or, where
    /// height is not 0, to a fixed size.
    int short_edge = 800, long_edge = 1333;
    int height = 0, width = 0;
    bool operator==(SegmentationInfo const&) const = default;
};

/// Which pictures a network takes; most take all.
struct SizeRule {
    int multiple = 1;                      ///< of both sides
    int largest = 0;                       ///< the longest side; 0: any
    bool square = false;                   ///< height and width are equal
    int batch = 0, height = 0, width = 0;  ///< the only ones; 0: any
};

/// What a weights file holds, as data.
struct ModelInfo {
    std::string family;  ///< "SwinIR"
    Task kind = Task::restore;
    std::string task;     ///< "lightweight super-resolution"
    std::string variant;  ///< one line: "SwinIR lightweight ×2"
    int scale = 1;        ///< output pixels per input pixel along a side
    int in_channels = 3;
    int out_channels = 3;
    double value_range = 1.0;  ///< pixel values the raw network takes and gives: 0 … value_range
    int tile_multiple = 1;     ///< tiles whose sides are multiples of it waste no padding
    int receptive_radius = 0;  ///< pixels of context beyond which a tile's centre hardly depends; tile overlap default
    bool mixes_whole_picture = false;    ///< an output pixel depends on every input pixel: tiles change the result
    SegmentationInfo segmentation = {};  ///< of networks that segment
    SizeRule sizes = {};
    std::int64_t parameters = 0;
    std::string format;  ///< "torch zip", "torch legacy", "safetensors", "vitrum engine"
    std::vector<Hyperparameter> hyperparameters;
    std::vector<std::string> notes;  ///< what the reader should know: ignored keys, doubtful conventions
};

/// Why the network does not take pictures of these sizes, or "".
[[nodiscard]] VITRUM_API std::string size_violation(ModelInfo const& info, Sizes const& sizes);

/// Values for hyper-parameters that weights cannot tell (`--set img_range=255`), by name.
using Overrides = std::map<std::string, std::string>;

/// Element types of weights.
enum class ElementType : std::uint8_t { f32, f16, bf16, f64, i8, u8, i16, i32, i64, boolean };

/// A named tensor that lies somewhere in memory.
struct MemoryTensor {
    std::string name;  ///< as a checkpoint file spells it, containers included: "params.conv_first.weight"
    ElementType type = ElementType::f32;
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides;  ///< in elements, none negative; empty: row-major
    void const* data = nullptr;         ///< any alignment
};

/// What a checkpoint file would hold.
struct MemoryCheckpoint {
    std::string name;    ///< what error texts call it
    std::string format;  ///< ModelInfo::format
    std::vector<MemoryTensor> tensors;
    std::shared_ptr<void const> owner;  ///< keeps the tensors' memory alive; nobody may change it any more
    std::string config;                 ///< the text of a Hugging Face model's config.json; empty where there is none
    std::string preprocessor;           ///< likewise of its preprocessor_config.json
};

/// A trained network: recognised, every hyper-parameter deduced, weights mapped but not yet read.
/// Cheap to copy; immutable; may be used from several threads.
class VITRUM_API Model {
public:
    /// Reads a checkpoint (.pth, .pt, .safetensors; told apart by content, not by name) and recognises its
    /// network. Throws Error: unreadable or damaged file, refused pickle, no known family (the nearest one is
    /// named with its missing and unexpected keys), an override that no family knows.
    static Model load(std::filesystem::path const& path, Overrides const& overrides = {});
    /// Recognises weights that are in memory already, as load() does those of a file; float32 in rows is used where it
    /// lies. Throws Error as load() does, and for extents that make no sense (usage).
    static Model from_memory(MemoryCheckpoint const& weights, Overrides const& overrides = {});

    [[nodiscard]] ModelInfo const& info() const;
    /// Floating-point operations of one run, a multiply-add counted as two.
    [[nodiscard]] double flops(Sizes const& sizes) const;

    struct Data;
    explicit Model(std::shared_ptr<Data const> data) : data_(std::move(data)) {}
    [[nodiscard]] Data const& data() const { return *data_; }

private:
    std::shared_ptr<Data const> data_;
};

}  // namespace vitrum
