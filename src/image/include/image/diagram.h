// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vitrum {

/// A line of a diagram: y over x, and the area between `low` and `high` around it where there is one.
struct DiagramLine {
    std::string name;
    std::vector<double> x, y;
    std::vector<double> low, high;  ///< empty, or one each per point
};

/// Lines over common axes with a legend at the right. The y axis always shows zero.
struct Diagram {
    std::string x_title, y_title;
    std::vector<DiagramLine> lines;  ///< at least one, with at least one point
};

/// Writes .svg or .png, whole or not at all. Throws Error: any other ending, what keeps a file from being written.
void save_diagram(Diagram const& diagram, std::filesystem::path const& path);

}  // namespace vitrum
