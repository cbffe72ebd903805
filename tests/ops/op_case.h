// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "ir/graph.h"

namespace vitrum::test {

enum class Role : std::uint8_t {
    activation,  ///< [N, H, W, C] at the backend's pixel stride
    weight,      ///< packed row-major in PyTorch's layout
    dense,       ///< packed row-major, of any rank and element type
};

/// One input of a case: its extents and the distribution that its values are drawn from.
struct CaseInput {
    Shape shape;  ///< rank 0: absent
    Role role = Role::activation;
    double mean = 0;
    double deviation = 1;
    int same_as = -1;          ///< the input whose memory this one shares (a residual that is x itself), or -1
    DType dtype = DType::f32;  ///< of dense inputs; integers are drawn like floats and cut off
    std::int64_t below = 0;    ///< of int64 indices: drawn from 0 … below − 1

    [[nodiscard]] bool present() const { return shape.rank() != 0 || role == Role::dense; }
};

/// One operator at concrete sizes with the recipe for its inputs: what tests, benchmarks and tables iterate over.
struct OpCase {
    std::string name;  ///< "Conv2d_rgb_head", unique
    Op op;
    std::vector<CaseInput> inputs;
    double reduction = 1;      ///< the number of terms of the longest sum behind one output
    double amplification = 1;  ///< how much larger a relative error of the input comes out (condition number)

    [[nodiscard]] Problem problem() const;
    /// Extents, element types and layouts of what the operator gives.
    [[nodiscard]] std::vector<Value> outputs() const;
    /// The case as a graph of one node, for cost and verification.
    [[nodiscard]] Graph graph() const;
    /// Whether fewer values go in than the large sizes have that only some kernels are chosen for.
    [[nodiscard]] bool is_small() const;
};

/// Whose residual an operator adds.
enum class Residual : std::uint8_t { none, other, same_as_x };

/// The values of each input, packed row-major; empty where absent.
using Values = std::vector<std::vector<float>>;

/// Values drawn as the case says, the same on every machine.
[[nodiscard]] Values make_values(OpCase const& c);

}  // namespace vitrum::test
