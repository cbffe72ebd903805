// SPDX-License-Identifier: Apache-2.0
#include "models/settings.h"

#include <charconv>

#include "base/check.h"

namespace vitrum {

std::optional<std::string> setting(StateDict const& dict, std::string_view path) {
    auto const found = dict.config().find(path);
    if (found == dict.config().end()) return std::nullopt;
    return found->second;
}

std::optional<double> number_setting(StateDict const& dict, std::string_view path) {
    auto const text = setting(dict, path);
    if (!text) return std::nullopt;
    double value = 0;
    auto const [stop, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || stop != text->data() + text->size()) {
        fail("{}: config.json: {} is \"{}\", where a number belongs", dict.path().string(), path, *text);
    }
    return value;
}

void check_setting(StateDict const& dict, std::string_view path, std::int64_t in_weights, std::string_view evidence) {
    auto const value = number_setting(dict, path);
    if (!value || *value == static_cast<double>(in_weights)) return;
    fail("{}: config.json contradicts the weights: {} is {}, but {} makes it {}; they belong to different models",
         dict.path().string(), path, *value, evidence, in_weights);
}

void demand_setting(StateDict const& dict, std::string_view path, std::string_view only) {
    auto const value = setting(dict, path);
    if (!value || *value == only) return;
    fail("{}: config.json: {} is \"{}\"; only \"{}\" is built", dict.path().string(), path, *value, only);
}

}  // namespace vitrum
