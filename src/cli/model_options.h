// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "verb.h"
#include "vitrum/engine.h"

namespace vitrum::cli {

/// The options that every verb with a model shares.
struct ModelOptions {
    std::string model;
    std::string device = "cpu";
    std::string precision = "auto";
    std::string isa;
    int threads = 0;
    std::vector<std::string> overrides;
};

void add_model_options(Verb const& verb, ModelOptions& options);

/// Loads the model, or the engine file, and compiles it as asked. What is no model at all is refused with a
/// line that says what it is instead.
[[nodiscard]] Engine open_engine(ModelOptions const& options);

/// Whether a file's name or first bytes say that it holds weights.
[[nodiscard]] bool looks_like_model(std::filesystem::path const& path);
/// Whether a file's header is a picture's.
[[nodiscard]] bool looks_like_picture(std::filesystem::path const& path);

}  // namespace vitrum::cli
