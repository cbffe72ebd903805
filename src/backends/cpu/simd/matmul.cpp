// SPDX-License-Identifier: Apache-2.0
// Products of dense matrices: the columns of the right one in vector lanes, rows of the left one read where they lie.
#include "simd/dense.h"

#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/matmul.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/product-inl.h"
#include "simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kRows = 48;  ///< of an item: whole blocks of rows

/// A batch of products; where an operand has fewer matrices they are used again.
struct Batches {
    Shape left, right, result;
    std::int64_t rows, depth, columns;

    Batches(Shape const& a, Shape const& b, Shape const& y)
        : left(a), right(b), result(y), rows(y[y.rank() - 2]), depth(a[a.rank() - 1]), columns(y[y.rank() - 1]) {}
    [[nodiscard]] std::int64_t lanes() const { return round_up(columns, kLanes); }
    [[nodiscard]] std::int64_t count() const { return result.count() / (rows * columns); }
    [[nodiscard]] std::int64_t right_count() const { return right.count() / (depth * columns); }
    [[nodiscard]] std::int64_t table_floats() const { return round_up(right_count() * depth * lanes(), 16); }
    [[nodiscard]] std::int64_t row_floats() const { return round_up(kPanelRows * lanes(), 16); }
    /// Which of an operand's matrices a product takes.
    [[nodiscard]] std::int64_t matrix(std::int64_t batch, Shape const& operand) const {
        std::int64_t index = 0, step = 1;
        for (int i = result.rank() - 3, j = operand.rank() - 3; i >= 0; --i, --j) {
            if (j >= 0 && operand[j] != 1) index += batch % result[i] * step;
            if (j >= 0) step *= operand[j];
            batch /= result[i];
        }
        return index;
    }
};

/// The right matrices with rows of whole vectors, then each worker's block of results.
std::size_t workspace_bytes(Dense const&, Problem const& problem, int threads) {
    Batches const s(problem.inputs[0], problem.inputs[1], problem.outputs[0]);
    return static_cast<std::size_t>(s.table_floats() + threads * s.row_floats()) * sizeof(float);
}

void launch_matmul(Dense const&, Launch const& launch) {
    Batches const s(launch.inputs[0].shape, launch.inputs[1].shape, launch.outputs[0].shape);
    auto const* const a = reinterpret_cast<float const*>(launch.inputs[0].data);
    auto const* const b = reinterpret_cast<float const*>(launch.inputs[1].data);
    auto* const y = reinterpret_cast<float*>(launch.outputs[0].data);
    auto* const table = reinterpret_cast<float*>(launch.workspace);
    launch.threads->parallel_for(s.right_count() * s.depth, [&](std::int64_t row, int) {
        float* const to = table + row * s.lanes();
        std::copy_n(b + row * s.columns, s.columns, to);
        std::fill(to + s.columns, to + s.lanes(), 0.0F);
    });
    std::int64_t const items = (s.rows + kRows - 1) / kRows;
    launch.threads->parallel_for(s.count() * items, [&](std::int64_t item, int worker) {
        std::int64_t const batch = item / items, first = item % items * kRows;
        float* const block = table + s.table_floats() + worker * s.row_floats();
        Columns const columns{table + s.matrix(batch, s.right) * s.depth * s.lanes(), s.lanes(), s.depth};
        for (RowBlocks rows(std::min(kRows, s.rows - first)); !rows.done(); rows.next()) {
            std::int64_t const row = first + rows.row();
            float const* const from = a + (s.matrix(batch, s.left) * s.rows + row) * s.depth;
            multiply(rows.rows(), PlainRows{from, s.depth}, columns, s.lanes(), StoreRows{block, s.lanes(), nullptr});
            for (int m = 0; m < rows.rows(); ++m) {
                std::copy_n(block + m * s.lanes(), s.columns, y + (batch * s.rows + row + m) * s.columns);
            }
        }
    });
}

}  // namespace

constexpr Entry<Dense> matmul_entry() {
    return {workspace_bytes, launch_matmul};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<Dense> const kMatMul = VITRUM_CPU_TABLE(Dense, matmul_entry);
}  // namespace vitrum::cpu
#endif
