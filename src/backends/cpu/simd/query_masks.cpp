// SPDX-License-Identifier: Apache-2.0
// The product of every pixel with every query: queries in vector lanes, pixels read where they lie.
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/query_masks.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/product-inl.h"
#include "simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kPixels = 48;  ///< of an item: whole blocks of rows

struct MasksShape {
    std::int64_t pictures, channels, queries;
    [[nodiscard]] std::int64_t lanes() const { return round_up(queries, kLanes); }
    [[nodiscard]] std::int64_t table_floats() const { return round_up(pictures * channels * lanes(), 16); }
    [[nodiscard]] std::int64_t row_floats() const { return round_up(kPanelRows * lanes(), 16); }

    MasksShape(Shape const& features, Shape const& with)
        : pictures(features[0]), channels(features[3]), queries(with[2]) {}
};

/// [N][C][Q] for all workers, then each worker's block of results.
std::size_t workspace_bytes(QueryMasks const&, Problem const& problem, int threads) {
    MasksShape const s(problem.inputs[QueryMasks::kFeatures], problem.inputs[QueryMasks::kQueries]);
    return static_cast<std::size_t>(s.table_floats() + threads * s.row_floats()) * sizeof(float);
}

void fill_table(Launch const& launch, MasksShape const& s, float* table) {
    Nhwc<float> const queries = nhwc(launch.inputs[QueryMasks::kQueries]);
    launch.threads->parallel_for(s.pictures * s.channels, [&](std::int64_t item, int) {
        float* const row = table + item * s.lanes();
        std::int64_t const n = item / s.channels;
        for (std::int64_t q = 0; q < s.lanes(); ++q) {
            row[q] = q < s.queries ? queries.pixel(n, 0, q)[item % s.channels] : 0.0F;
        }
    });
}

void launch_masks(QueryMasks const&, Launch const& launch) {
    Nhwc<float> const features = nhwc(launch.inputs[QueryMasks::kFeatures]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    MasksShape const s(launch.inputs[QueryMasks::kFeatures].shape, launch.inputs[QueryMasks::kQueries].shape);
    auto* const table = reinterpret_cast<float*>(launch.workspace);
    fill_table(launch, s, table);
    std::int64_t const per_picture = y.h * y.w;
    std::int64_t const items = (per_picture + kPixels - 1) / kPixels;
    launch.threads->parallel_for(y.n * items, [&](std::int64_t item, int worker) {
        std::int64_t const n = item / items;
        std::int64_t const first = item % items * kPixels;
        float* const rows = table + s.table_floats() + worker * s.row_floats();
        Columns const columns{table + n * s.channels * s.lanes(), s.lanes(), s.channels};
        for (RowBlocks b(std::min(kPixels, per_picture - first)); !b.done(); b.next()) {
            std::int64_t const pixel = n * per_picture + first + b.row();
            multiply(b.rows(), PlainRows{features.data + pixel * features.stride, features.stride}, columns, s.lanes(),
                     StoreRows{rows, s.lanes(), nullptr});
            for (int m = 0; m < b.rows(); ++m) {
                std::copy_n(rows + m * s.lanes(), s.queries, y.data + (pixel + m) * y.stride);
            }
        }
    });
}

}  // namespace

constexpr Entry<QueryMasks> query_masks_entry() {
    return {workspace_bytes, launch_masks};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<QueryMasks> const kQueryMasks = VITRUM_CPU_TABLE(QueryMasks, query_masks_entry);
}  // namespace vitrum::cpu
#endif
