// SPDX-License-Identifier: Apache-2.0
#include "../general_kernels.h"
#include "../row_kernels.h"
#include "attention.cuh"
#include "quad_rows.cuh"
#include "window_tiles.cuh"

namespace vitrum::cuda {
namespace {

using Op = WindowAttention;

/// The moments of all pixels, or normalised copies of them; q, k and v of as many windows as fit: [window][token][3C].
struct Parts {
    std::int64_t windows, at_once, stride;
    Moments* moments;
    float *normal, *qkv;
    std::size_t bytes;

    Parts(Op const& op, Shape const& x, bool are_copied, std::byte* workspace)
        : windows(x[0] * Windows(x[1], x[2], op.window, op.shift).per_picture()), stride(padded_channels(3 * x[3])) {
        std::int64_t const tokens = std::int64_t{op.window} * op.window;
        at_once = items_at_once(windows, tokens * stride * 4);
        WorkspaceParts parts(workspace);
        std::int64_t const pixels = x[0] * x[1] * x[2];
        moments = parts.take<Moments>(are_copied ? 0 : pixels);
        normal = parts.take<float>(are_copied ? pixels * x[3] : 0);
        qkv = parts.take<float>(at_once * tokens * stride);
        bytes = parts.bytes();
    }
};

/// Heads of windows in a buffer of q, k and v; results take q's place.
struct Source {
    Windows windows;
    Divisor window;
    std::int64_t first_window;
    float* qkv;
    std::int64_t stride;
    int heads, tokens, dim;
    float scale;
    float const* bias;  ///< [heads][(2 · window − 1)²]

    /// Only the last windows of the rolled picture have pixels from both of its ends, which see each other only
    /// faintly: those before and from `seam` on (Liu et al. 2021, figure 4). Elsewhere the seam lies outside.
    struct Item {
        float* qkv;
        float const* bias;
        int row_seam, column_seam;
    };
    [[nodiscard]] __device__ Item item(std::int64_t block) const {
        Quotient const at = divide(block, heads);
        int const head = static_cast<int>(at.rest), side = 2 * window.by - 1;
        Place const place(first_window + at.whole, windows.down, windows.across);
        int const seam = window.by - windows.shift;
        return {qkv + at.whole * tokens * stride + head * dim, bias + head * side * side,
                place.row == windows.down - 1 ? seam : window.by,
                place.column == windows.across - 1 ? seam : window.by};
    }
    [[nodiscard]] __device__ float const* query(Item const& item, int i) const { return item.qkv + i * stride; }
    [[nodiscard]] __device__ float const* key(Item const& item, int j) const {
        return item.qkv + j * stride + heads * dim;
    }
    [[nodiscard]] __device__ float const* value(Item const& item, int j) const {
        return item.qkv + j * stride + 2 * heads * dim;
    }
    [[nodiscard]] __device__ float* result(Item const& item, int i) const { return item.qkv + i * stride; }
    [[nodiscard]] __device__ float logit(Item const& item, int i, int j, float dot) const {
        int const row_i = window.whole(i), column_i = i - row_i * window.by;
        int const row_j = window.whole(j), column_j = j - row_j * window.by;
        int const side = 2 * window.by - 1;
        int const offset = (row_i - row_j + window.by - 1) * side + column_i - column_j + window.by - 1;
        float const value = fmaf(scale, dot, item.bias[offset]);
        bool const apart = (row_i < item.row_seam) != (row_j < item.row_seam) ||
                           (column_i < item.column_seam) != (column_j < item.column_seam);
        return apart ? value - 100.0F : value;
    }
};

/// `W` names the kernel of the products. `from`: x, with the norm to come, or behind it. `in_tiles`: operands of
/// attention itself may be TF32.
template <class W>
void attend(Op const& op, Launch const& launch, Parts const& parts, Matrix const& from, Norm const& norm,
            bool in_tiles) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]);
    Windows const windows(x.h, x.w, op.window, op.shift);
    Matrix const qkv(parts.qkv, parts.stride);
    W const qkv_weight(launch.packed[0], 3 * x.c, x.c), proj(launch.packed[1], x.c, x.c);
    Source source{.windows = windows,
                  .window = Divisor(op.window),
                  .first_window = 0,
                  .qkv = parts.qkv,
                  .stride = parts.stride,
                  .heads = op.heads,
                  .tokens = windows.tokens(),
                  .dim = x.c / op.heads,
                  .scale = op.scale,
                  .bias = floats(launch.packed[2])};
    for (std::int64_t first = 0; first < parts.windows; first += parts.at_once) {
        std::int64_t const count = std::min(parts.at_once, parts.windows - first);
        std::int64_t const rows = count * windows.tokens();
        WindowRows const map{windows, first};
        multiply(launch.stream, rows, RowLoad<WindowRows>{from, x.c, norm, map}, qkv_weight,
                 rows_to(qkv, 3 * x.c, {floats(in[Op::kQkvBias])}));
        source.first_window = first;
        if (in_tiles && window_tiles_serve(source.tokens, source.dim)) {
            attend_in_tiles(launch.stream, count * op.heads, source);
        } else {
            attend_in_windows(launch.stream, count * op.heads, source);
        }
        multiply(launch.stream, rows, rows_of(qkv, x.c), proj,
                 RowStore<WindowRows>{y, residual, x.c, {floats(in[Op::kProjBias])}, map});
    }
}

}  // namespace

template <Precision operands>
Support WindowAttentionKernel<operands>::supports(Op const& op, Problem const& problem) {
    Support const exact = ProductKernel<Op, operands>::supports(op, problem);
    return exact.ok ? attention_support(problem.inputs[Op::kX][3] / op.heads) : exact;
}

template <Precision operands>
std::size_t WindowAttentionKernel<operands>::workspace_bytes(Op const& op, Problem const& problem, int) {
    return Parts(op, problem.inputs[Op::kX], false, nullptr).bytes;
}

template <Precision operands>
void WindowAttentionKernel<operands>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]);
    Parts const parts(op, in[Op::kX].shape, false, launch.workspace);
    Norm const norm = prepare_norm(launch.stream, x, x.count(), x.c, in[Op::kNormWeight], in[Op::kNormBias],
                                   op.norm_epsilon, parts.moments);
    attend<Weight<operands>>(op, launch, parts, x, norm, false);
}

template struct WindowAttentionKernel<Precision::tf32>;
template struct WindowAttentionKernel<Precision::fp32>;

Support RowWindowKernel::supports(Op const& op, Problem const& problem) {
    std::int64_t const channels = problem.inputs[Op::kX][3];
    Support const served = scaled_rows_support(problem, channels, channels);
    return served.ok ? attention_support(channels / op.heads) : served;
}

std::size_t RowWindowKernel::workspace_bytes(Op const& op, Problem const& problem, int) {
    return Parts(op, problem.inputs[Op::kX], problem.present[Op::kNormWeight], nullptr).bytes;
}

void RowWindowKernel::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]);
    bool const has_norm = in[Op::kNormWeight].data != nullptr;
    Parts const parts(op, in[Op::kX].shape, has_norm, launch.workspace);
    Matrix from = x;
    if (has_norm) {
        from = Matrix(parts.normal, x.c);
        layer_norm(launch.stream, x, from, x.count(), x.c, in[Op::kNormWeight], in[Op::kNormBias], op.norm_epsilon);
    }
    attend<ScaledWeight>(op, launch, parts, from, {}, true);
}

}  // namespace vitrum::cuda
