// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

namespace vitrum::cli {
namespace {

/// Letters, not bytes: the bytes of UTF-8 that begin one.
std::size_t width_of(std::string const& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

void print_json(Json const& value, int indent) {
    fmt::print("{}\n", value.dump(indent, ' ', false, Json::error_handler_t::replace));
    std::fflush(stdout);
}

std::string reruns_text(Reruns const& reruns) {
    if (reruns.count() == 0) return "";
    std::string text = fmt::format(", {} {} again in ", reruns.count(), reruns.count() == 1 ? "run" : "runs");
    if (reruns.in_fp32 == 0) return text + "tf32";
    if (reruns.in_tf32 == 0) return text + "fp32";
    return text + fmt::format("tf32 and fp32 ({})", reruns.in_fp32);
}

std::string bytes_text(double bytes) {
    if (bytes >= 0x1p30) return fmt::format("{:.2f} GiB", bytes / 0x1p30);
    if (bytes >= 0x1p20) return fmt::format("{:.1f} MiB", bytes / 0x1p20);
    return fmt::format("{:.0f} KiB", bytes / 0x1p10);
}

std::string Table::str(std::size_t left) const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (auto const& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    std::string text;
    for (auto const& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            std::string const space(widths[i] - width_of(row[i]), ' ');
            line += (i < left ? row[i] + space : space + row[i]) + "  ";
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

}  // namespace vitrum::cli
