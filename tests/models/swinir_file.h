// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/shape.h"

namespace vitrum {

/// A SwinIR checkpoint under construction: names, shapes and one value for all elements of a tensor.
/// Tests change what they like, then write it.
class SwinIRFile {
public:
    struct Options {
        int channels = 3;
        int embed_dim = 12;
        int window = 8;
        int heads = 2;
        int depth = 2;
    };

    /// The body that all variants share, without an upsampler.
    SwinIRFile() : SwinIRFile(Options{}) {}
    explicit SwinIRFile(Options const& options);

    SwinIRFile& denoising();
    SwinIRFile& lightweight(int scale);
    SwinIRFile& classical(std::vector<int> const& factors);
    SwinIRFile& real_world();
    /// Every name gets this in front: "params_ema.", "module.".
    SwinIRFile& prefixed(std::string const& prefix);

    void conv(std::string const& name, int in, int out, int kernel = 3);
    void set(std::string const& name, Shape const& shape, float value = 0.01F) { tensors_[name] = {shape, value}; }
    void erase(std::string const& name) { tensors_.erase(name); }

    /// Writes a safetensors file in the system's temporary folder; removed with this object.
    std::filesystem::path const& write();
    ~SwinIRFile();

private:
    struct Tensor {
        Shape shape;
        float value;
    };
    Options o_;
    std::map<std::string, Tensor> tensors_;
    std::filesystem::path path_;
};

}  // namespace vitrum
