// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "vitrum/engine.h"

namespace vitrum::cli {

using Json = nlohmann::ordered_json;

/// Writes one JSON value and a line end to stdout. File names that are no UTF-8 get replacement letters.
void print_json(Json const& value, int indent = 2);

/// ", 3 runs again in tf32", ", 4 runs again in tf32 and fp32 (1)"; nothing where there were none.
[[nodiscard]] std::string reruns_text(Reruns const& reruns);

/// "1.75 GiB", "312 MiB"
[[nodiscard]] std::string bytes_text(double bytes);

/// Columns as wide as their widest cell; the first column to the left, numbers to the right.
class Table {
public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    /// `left` columns are aligned to the left.
    [[nodiscard]] std::string str(std::size_t left = 1) const;

private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace vitrum::cli
