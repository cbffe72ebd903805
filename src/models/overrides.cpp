// SPDX-License-Identifier: Apache-2.0
#include "models/overrides.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

#include "base/check.h"

namespace vitrum {
namespace {

std::optional<float> parse(std::string const& text) {
    auto const begin = text.find_first_not_of(' ');
    if (begin == std::string::npos) return std::nullopt;
    auto const end = text.find_last_not_of(' ') + 1;
    float value = 0;
    auto const [stop, error] = std::from_chars(text.data() + begin, text.data() + end, value);
    if (error != std::errc{} || stop != text.data() + end || !std::isfinite(value)) return std::nullopt;
    return value;
}

}  // namespace

float positive_number(std::pair<std::string const, std::string> const& setting) {
    auto const value = parse(setting.second);
    if (!value || *value <= 0) {
        fail_as(ErrorKind::usage, "--set {}={}: a number above 0 is needed", setting.first, setting.second);
    }
    return *value;
}

std::vector<float> number_list(std::pair<std::string const, std::string> const& setting, std::size_t count) {
    std::vector<float> values;
    std::istringstream text(setting.second);
    for (std::string part; std::getline(text, part, ',');) {
        auto const value = parse(part);
        if (!value) break;
        values.push_back(*value);
    }
    if (values.size() != count || setting.second.ends_with(',')) {
        fail_as(ErrorKind::usage, "--set {}={}: {} number(s) separated by commas are needed", setting.first,
                setting.second, count);
    }
    return values;
}

bool yes_or_no(std::pair<std::string const, std::string> const& setting) {
    if (setting.second != "yes" && setting.second != "no") {
        fail_as(ErrorKind::usage, "--set {}={}: yes or no is needed", setting.first, setting.second);
    }
    return setting.second == "yes";
}

}  // namespace vitrum
