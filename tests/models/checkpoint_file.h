// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/shape.h"

namespace vitrum {

/// A checkpoint under construction: names, shapes and one value for all elements of a tensor. Tests change what they
/// like, then write it.
class CheckpointFile {
public:
    CheckpointFile() = default;
    CheckpointFile(CheckpointFile const&) = delete;
    CheckpointFile& operator=(CheckpointFile const&) = delete;
    ~CheckpointFile();

    void set(std::string const& name, Shape const& shape, float value = 0.01F) { tensors_[name] = {shape, value}; }
    void erase(std::string const& name) { tensors_.erase(name); }
    void conv(std::string const& name, int in, int out, int kernel = 3);
    /// Every name gets this in front: "params_ema.", "module.".
    CheckpointFile& prefixed(std::string const& prefix);
    /// Gives every name another.
    template <class F>
    CheckpointFile& renamed(F const& new_name) {
        std::map<std::string, Tensor> tensors;
        for (auto const& [name, tensor] : tensors_) tensors[new_name(name)] = tensor;
        tensors_ = std::move(tensors);
        return *this;
    }

    /// Writes a safetensors file in the system's temporary folder; removed with this object.
    std::filesystem::path const& write();

private:
    struct Tensor {
        Shape shape;
        float value;
    };
    std::map<std::string, Tensor> tensors_;
    std::filesystem::path path_;
};

}  // namespace vitrum
