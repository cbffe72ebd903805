// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace vitrum::cli {

/// The library's help text with less of its own vocabulary: "N (256)" instead of "N:INT in [1 - 4096]=256
/// Excludes: --other", and values named by their kind in place of TEXT.
class HelpFormatter : public CLI::Formatter {
public:
    HelpFormatter() { column_width(30); }

    [[nodiscard]] std::string make_option_opts(CLI::Option const* option) const override {
        std::string text;
        if (option->get_type_size() != 0 && !option->get_positional()) text = " " + option->get_type_name();
        text = text.substr(0, text.find(':'));  // after it come the checks
        if (!option->get_default_str().empty()) text += " (" + option->get_default_str() + ")";
        return text;
    }
};

}  // namespace vitrum::cli
