// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = GroupWindowAttention;

/// In float64, for all P pixels of C channels, then for each worker.
struct Workspace {
    std::int64_t projected_doubles;  ///< [P, 2C] or, with a query, [P, C]
    std::int64_t attended_doubles;   ///< [P, C]
    std::int64_t worker_doubles;     ///< one query's softmax over its window, or a pixel's input and result

    Workspace(Op const& op, Shape const& x, std::int64_t projected) {
        std::int64_t const pixels = x[0] * x[1] * x[2];
        std::int64_t const side = *std::ranges::max_element(op.windows);
        projected_doubles = pixels * projected;
        attended_doubles = pixels * x[3];
        worker_doubles = std::max(side * side, 2 * x[3]);
    }
};

/// softmax(q·qᵀ) · v inside the windows of one group.
struct Group {
    Nhwc<float> x;  ///< for its extents
    std::int64_t window, shift;
    double const* projected;  ///< v (and q) of this group at pixel 0
    std::int64_t rows;        ///< doubles from one pixel to the next
    Nhwc<float> query;        ///< data null: q is in `projected`, before v
    std::int64_t first, dim;  ///< channels of the group
    double* attended;         ///< [P, C]

    [[nodiscard]] double q(std::int64_t pixel, std::int64_t c) const {
        return query.data == nullptr ? projected[pixel * rows + c] : query.data[pixel * query.stride + first + c];
    }
    [[nodiscard]] double v(std::int64_t pixel, std::int64_t c) const {
        return projected[pixel * rows + (query.data == nullptr ? dim : 0) + c];
    }
    /// Token t of window `index` of the rolled picture, as a pixel of the picture.
    [[nodiscard]] std::int64_t pixel(std::int64_t index, std::int64_t t) const {
        std::int64_t const columns = x.w / window;
        std::int64_t const rows_of_windows = x.h / window;
        std::int64_t const row = index / columns % rows_of_windows * window + t / window + shift;
        std::int64_t const column = index % columns * window + t % window + shift;
        return (index / (columns * rows_of_windows) * x.h + row % x.h) * x.w + column % x.w;
    }

    void attend(std::int64_t index, std::int64_t i, double* weights) const {
        std::int64_t const tokens = window * window;
        std::int64_t const at = pixel(index, i);
        for (std::int64_t j = 0; j < tokens; ++j) {
            std::int64_t const key = pixel(index, j);
            weights[j] = 0;
            for (std::int64_t c = 0; c < dim; ++c) weights[j] += q(at, c) * q(key, c);
        }
        double const largest = *std::max_element(weights, weights + tokens);
        double sum = 0;
        for (std::int64_t j = 0; j < tokens; ++j) sum += weights[j] = std::exp(weights[j] - largest);
        double* const to = attended + at * x.c + first;
        std::fill_n(to, dim, 0.0);
        for (std::int64_t j = 0; j < tokens; ++j) {
            std::int64_t const key = pixel(index, j);
            for (std::int64_t c = 0; c < dim; ++c) to[c] += weights[j] / sum * v(key, c);
        }
    }
};

void project_in(Launch const& launch, double* projected, Launch const& workers, std::int64_t worker_doubles) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    std::int64_t const rows = launch.inputs[Op::kInWeight].shape[0];
    Linear const in{doubles(launch.packed[0]), floats(launch.inputs[Op::kInBias]), x.c, rows};
    launch.threads->parallel_for(x.pixels(), [&](std::int64_t p, int worker) {
        double* const pixel = scratch_of(workers, worker, worker_doubles);
        std::copy_n(x.data + p * x.stride, x.c, pixel);
        in(pixel, 1, projected + p * rows);
    });
}

void project_out(Launch const& launch, double const* attended, Launch const& workers, std::int64_t worker_doubles) {
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    TensorView const& residual = launch.inputs[Op::kResidual];
    Linear const out{doubles(launch.packed[1]), floats(launch.inputs[Op::kOutBias]), y.c, y.c};
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t p, int worker) {
        double* const result = scratch_of(workers, worker, worker_doubles);
        out(attended + p * y.c, 1, result);
        for (std::int64_t c = 0; c < y.c; ++c) {
            double const added = residual.data == nullptr ? 0.0 : floats(residual)[p * residual.strides[2] + c];
            y.data[p * y.stride + c] = static_cast<float>(result[c] + added);
        }
    });
}

}  // namespace

std::vector<Packing> GroupWindowAttentionKernel::packings(Op const&, Problem const& problem) {
    return {panel_packing(Op::kInWeight, problem.inputs[Op::kInWeight]),
            panel_packing(Op::kOutWeight, problem.inputs[Op::kOutWeight])};
}

std::size_t GroupWindowAttentionKernel::workspace_bytes(Op const& op, Problem const& problem, int threads) {
    Workspace const needed(op, problem.inputs[Op::kX], problem.inputs[Op::kInWeight][0]);
    return (scratch_doubles(needed.projected_doubles) + scratch_doubles(needed.attended_doubles) +
            static_cast<std::size_t>(threads) * scratch_doubles(needed.worker_doubles)) *
           sizeof(double);
}

void GroupWindowAttentionKernel::launch(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    bool const has_query = launch.inputs[Op::kQuery].data != nullptr;
    std::int64_t const rows = launch.inputs[Op::kInWeight].shape[0];
    Workspace const needed(op, launch.inputs[Op::kX].shape, rows);
    auto* const projected = reinterpret_cast<double*>(launch.workspace);
    double* const attended = projected + scratch_doubles(needed.projected_doubles);
    Launch workers = launch;
    workers.workspace = reinterpret_cast<std::byte*>(attended + scratch_doubles(needed.attended_doubles));

    project_in(launch, projected, workers, needed.worker_doubles);
    std::int64_t const dim = x.c / Op::kGroups;
    for (std::int64_t g = 0; g < Op::kGroups; ++g) {
        std::int64_t const window = op.windows[static_cast<std::size_t>(g)];
        Group const group{.x = x,
                          .window = window,
                          .shift = op.shifted ? window / 2 : 0,
                          .projected = projected + g * rows / Op::kGroups,
                          .rows = rows,
                          .query = has_query ? nhwc(launch.inputs[Op::kQuery]) : Nhwc<float>{},
                          .first = g * dim,
                          .dim = dim,
                          .attended = attended};
        std::int64_t const tokens = window * window;
        launch.threads->parallel_for(x.pixels(), [&](std::int64_t item, int worker) {
            group.attend(item / tokens, item % tokens, scratch_of(workers, worker, needed.worker_doubles));
        });
    }
    project_out(launch, attended, workers, needed.worker_doubles);
}

}  // namespace vitrum::reference
