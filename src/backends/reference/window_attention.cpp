// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = WindowAttention;

/// One window's share of the workspace, in float64; T = window² tokens, C channels.
struct Scratch {
    double* tokens;     ///< [T, C]: the normalised input, later the attended values
    double* qkv;        ///< [T, 3C]
    double* projected;  ///< [T, C]
    double* weights;    ///< [T]: one query's softmax

    static std::int64_t doubles(std::int64_t t, std::int64_t c) { return t * (c + 3 * c + c) + t; }
    Scratch(double* start, std::int64_t t, std::int64_t c)
        : tokens(start), qkv(tokens + t * c), projected(qkv + t * 3 * c), weights(projected + t * c) {}
};

/// Where a token of a window lies in the picture.
struct Position {
    std::int64_t row, column;
};

/// A side extended to whole windows.
std::int64_t padded(std::int64_t size, Op const& op) {
    return (size + op.window - 1) / op.window * op.window;
}

/// 0, 1 or 2: the slices [0, size − window), [size − window, size − shift), [size − shift, size) of a rolled axis.
/// Only the last window spans more than one of them (Liu et al. 2021, figure 4).
int slice_of(std::int64_t rolled, std::int64_t size, Op const& op) {
    if (rolled < size - op.window) return 0;
    return rolled < size - op.shift ? 1 : 2;
}

class Window {
public:
    Window(Op const& op, Launch const& launch, std::int64_t index, double* scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          packed_(launch.packed),
          tokens_(op.window * op.window),
          s_(scratch, tokens_, x_.c),
          padded_h_(padded(x_.h, op)),
          padded_w_(padded(x_.w, op)) {
        std::int64_t const columns = padded_w_ / op.window;
        std::int64_t const rows = padded_h_ / op.window;
        n_ = index / (rows * columns);
        row_ = index / columns % rows * op.window;
        column_ = index % columns * op.window;
    }

    void run() const {
        read();
        Linear{doubles(packed_[0]), floats(in_[Op::kQkvBias]), x_.c, 3 * x_.c}(s_.tokens, tokens_, s_.qkv);
        for (int head = 0; head < op_.heads; ++head) attend(head);
        Linear{doubles(packed_[1]), floats(in_[Op::kProjBias]), x_.c, x_.c}(s_.tokens, tokens_, s_.projected);
        write();
    }

private:
    [[nodiscard]] Position position(std::int64_t t) const {
        return {(row_ + t / op_.window + op_.shift) % padded_h_, (column_ + t % op_.window + op_.shift) % padded_w_};
    }
    [[nodiscard]] bool is_inside(Position const& at) const { return at.row < x_.h && at.column < x_.w; }

    /// Which of the nine regions of the rolled picture a token is in.
    [[nodiscard]] int region(std::int64_t t) const {
        return 3 * slice_of(row_ + t / op_.window, padded_h_, op_) + slice_of(column_ + t % op_.window, padded_w_, op_);
    }

    void read() const {
        for (std::int64_t t = 0; t < tokens_; ++t) {
            Position const at = position(t);
            if (!is_inside(at)) {
                std::fill_n(s_.tokens + t * x_.c, x_.c, 0.0);
                continue;
            }
            layer_norm(x_.pixel(n_, at.row, at.column), floats(in_[Op::kNormWeight]), floats(in_[Op::kNormBias]), x_.c,
                       op_.norm_epsilon, s_.tokens + t * x_.c);
        }
    }

    /// The row of the bias table for the offset from key j to query i.
    [[nodiscard]] std::int64_t relative_position(std::int64_t i, std::int64_t j) const {
        std::int64_t const dy = i / op_.window - j / op_.window;
        std::int64_t const dx = i % op_.window - j % op_.window;
        return (dy + op_.window - 1) * (2 * op_.window - 1) + dx + op_.window - 1;
    }

    [[nodiscard]] double logit(std::int64_t i, std::int64_t j, int head) const {
        std::int64_t const dim = x_.c / op_.heads;
        double const* const q = s_.qkv + i * 3 * x_.c + head * dim;
        double const* const k = s_.qkv + j * 3 * x_.c + x_.c + head * dim;
        double sum = 0;
        for (std::int64_t d = 0; d < dim; ++d) sum += q[d] * k[d];
        double const bias = floats(in_[Op::kBiasTable])[relative_position(i, j) * op_.heads + head];
        double const mask = op_.shift > 0 && region(i) != region(j) ? -100 : 0;
        return op_.scale * sum + bias + mask;
    }

    /// Turns the logits of one query into weights that sum to 1.
    void softmax(double* values) const {
        double const largest = *std::max_element(values, values + tokens_);
        double sum = 0;
        for (std::int64_t j = 0; j < tokens_; ++j) sum += values[j] = std::exp(values[j] - largest);
        for (std::int64_t j = 0; j < tokens_; ++j) values[j] /= sum;
    }

    void attend(int head) const {
        std::int64_t const dim = x_.c / op_.heads;
        for (std::int64_t i = 0; i < tokens_; ++i) {
            for (std::int64_t j = 0; j < tokens_; ++j) s_.weights[j] = logit(i, j, head);
            softmax(s_.weights);
            double* const to = s_.tokens + i * x_.c + head * dim;
            std::fill_n(to, dim, 0.0);
            for (std::int64_t j = 0; j < tokens_; ++j) {
                double const* const v = s_.qkv + j * 3 * x_.c + 2 * x_.c + head * dim;
                for (std::int64_t d = 0; d < dim; ++d) to[d] += s_.weights[j] * v[d];
            }
        }
    }

    void write() const {
        TensorView const& residual = in_[Op::kResidual];
        for (std::int64_t t = 0; t < tokens_; ++t) {
            Position const at = position(t);
            if (!is_inside(at)) continue;
            for (std::int64_t c = 0; c < x_.c; ++c) {
                double value = s_.projected[t * x_.c + c];
                if (residual.data != nullptr) value += nhwc(residual).pixel(n_, at.row, at.column)[c];
                y_.pixel(n_, at.row, at.column)[c] = static_cast<float>(value);
            }
        }
    }

    Op const& op_;
    std::span<TensorView const> in_;
    Nhwc<float> x_, y_;
    std::span<std::byte const* const> packed_;
    std::int64_t tokens_;
    Scratch s_;
    std::int64_t padded_h_, padded_w_;
    std::int64_t n_ = 0, row_ = 0, column_ = 0;  ///< the window's picture and its corner in the rolled picture
};

std::int64_t doubles_per_worker(Op const& op, std::int64_t channels) {
    return Scratch::doubles(op.window * op.window, channels);
}

}  // namespace

std::vector<Packing> WindowAttentionKernel::packings(Op const&, Problem const& problem) {
    return {panel_packing(Op::kQkvWeight, problem.inputs[Op::kQkvWeight]),
            panel_packing(Op::kProjWeight, problem.inputs[Op::kProjWeight])};
}

std::size_t WindowAttentionKernel::workspace_bytes(Op const& op, Problem const& problem, int threads) {
    std::int64_t const needed = doubles_per_worker(op, problem.inputs[Op::kX][3]);
    return static_cast<std::size_t>(threads) * scratch_doubles(needed) * sizeof(double);
}

void WindowAttentionKernel::launch(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    std::int64_t const windows = x.n * (padded(x.h, op) / op.window) * (padded(x.w, op) / op.window);
    launch.threads->parallel_for(windows, [&](std::int64_t index, int worker) {
        Window(op, launch, index, scratch_of(launch, worker, doubles_per_worker(op, x.c))).run();
    });
}

}  // namespace vitrum::reference
