// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = SpectralAttention;

/// Extents and the workspace, in doubles: what the picture needs, then the scratch of each worker.
struct Layout {
    std::int64_t n, h, w, c, heads;

    Layout(Op const& op, Shape const& x) : n(x[0]), h(x[1]), w(x[2]), c(x[3]), heads(op.heads) {}
    [[nodiscard]] std::int64_t dim() const { return c / heads; }
    /// A row's share of the sums over all pixels: kᵢ·qⱼ [C][D], |q|² [C], |k|² [C].
    [[nodiscard]] std::int64_t sums() const { return c * dim() + 2 * c; }
    [[nodiscard]] std::int64_t values() const { return n * h * w * c; }
    [[nodiscard]] std::int64_t shared() const { return values() + n * h * sums(); }
    /// One pixel's x, q and k, or its attended and projected values; three rows of position features.
    [[nodiscard]] std::int64_t scratch() const { return 3 * c + 3 * w * c; }
};

class Attention {
public:
    Attention(Op const& op, Launch const& launch)
        : in_(launch.inputs),
          packed_(launch.packed),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          l_(op, in_[Op::kX].shape),
          values_(reinterpret_cast<double*>(launch.workspace)),
          sums_(values_ + l_.values()) {}

    /// v of one row, and the row's sums.
    void read_row(std::int64_t item, double* scratch) const {
        double* const x = scratch;
        double* const q = x + l_.c;
        double* const k = q + l_.c;
        double* const products = sums_ + item * l_.sums();
        std::fill_n(products, l_.sums(), 0.0);
        double* const q_squares = products + l_.c * l_.dim();
        double* const k_squares = q_squares + l_.c;
        for (std::int64_t column = 0; column < l_.w; ++column) {
            std::copy_n(x_.pixel(item / l_.h, item % l_.h, column), l_.c, x);
            linear(0)(x, 1, q);
            linear(1)(x, 1, k);
            linear(2)(x, 1, value(item, column));
            for (std::int64_t i = 0; i < l_.c; ++i) {
                double const* const head = q + i / l_.dim() * l_.dim();
                for (std::int64_t j = 0; j < l_.dim(); ++j) products[i * l_.dim() + j] += k[i] * head[j];
                q_squares[i] += q[i] * q[i];
                k_squares[i] += k[i] * k[i];
            }
        }
    }

    /// The sums of picture n over its rows become its attention, where those of its first row were.
    void attend(std::int64_t n) const {
        double* const total = sums_ + n * l_.h * l_.sums();
        for (std::int64_t row = 1; row < l_.h; ++row) {
            double const* const part = total + row * l_.sums();
            for (std::int64_t i = 0; i < l_.sums(); ++i) total[i] += part[i];
        }
        double const* const q_squares = total + l_.c * l_.dim();
        double const* const k_squares = q_squares + l_.c;
        auto const norm = [](double square) { return std::max(std::sqrt(square), 1e-12); };
        for (std::int64_t i = 0; i < l_.c; ++i) {
            std::int64_t const head = i / l_.dim();
            double* const logits = total + i * l_.dim();
            for (std::int64_t j = 0; j < l_.dim(); ++j) {
                logits[j] *= floats(in_[Op::kRescale])[head] / norm(k_squares[i]);
                logits[j] /= norm(q_squares[head * l_.dim() + j]);
            }
            softmax(logits, l_.dim());
        }
    }

    void write_row(std::int64_t item, double* scratch) const {
        std::int64_t const n = item / l_.h;
        std::int64_t const row = item % l_.h;
        double* const attended = scratch;
        double* const projected = attended + l_.c;
        double* const features = projected + 2 * l_.c;
        for (std::int64_t i = -1; i <= 1; ++i) position_features(n, row + i, features + (i + 1) * l_.w * l_.c);
        for (std::int64_t column = 0; column < l_.w; ++column) {
            mix_channels(n, row, column, attended);
            linear(3)(attended, 1, projected);
            float const* const residual =
                in_[Op::kResidual].data == nullptr ? nullptr : nhwc(in_[Op::kResidual]).pixel(n, row, column);
            for (std::int64_t c = 0; c < l_.c; ++c) {
                double result = projected[c] + position(features, column, c);
                if (residual != nullptr) result += residual[c];
                y_.pixel(n, row, column)[c] = static_cast<float>(result);
            }
        }
    }

private:
    [[nodiscard]] Linear linear(std::size_t index) const {
        return {doubles(packed_[index]), index == 3 ? floats(in_[Op::kProjBias]) : nullptr, l_.c, l_.c};
    }
    [[nodiscard]] double* value(std::int64_t item, std::int64_t column) const {
        return values_ + (item * l_.w + column) * l_.c;
    }

    static void softmax(double* logits, std::int64_t count) {
        double const largest = *std::max_element(logits, logits + count);
        double sum = 0;
        for (std::int64_t j = 0; j < count; ++j) sum += logits[j] = std::exp(logits[j] - largest);
        for (std::int64_t j = 0; j < count; ++j) logits[j] /= sum;
    }

    void mix_channels(std::int64_t n, std::int64_t row, std::int64_t column, double* attended) const {
        double const* const v = value(n * l_.h + row, column);
        double const* const attention = sums_ + n * l_.h * l_.sums();
        float const* const guide =
            in_[Op::kGuide].data == nullptr ? nullptr : nhwc(in_[Op::kGuide]).pixel(n, row, column);
        for (std::int64_t i = 0; i < l_.c; ++i) {
            attended[i] = 0;
            for (std::int64_t j = 0; j < l_.dim(); ++j) {
                std::int64_t const c = i / l_.dim() * l_.dim() + j;
                attended[i] += attention[i * l_.dim() + j] * v[c] * (guide == nullptr ? 1.0 : guide[c]);
            }
        }
    }

    /// gelu(conv(v, w1)) of one row; zero outside of the picture, where the second convolution pads.
    void position_features(std::int64_t n, std::int64_t row, double* to) const {
        std::fill_n(to, l_.w * l_.c, 0.0);
        if (row < 0 || row >= l_.h) return;
        float const* const weight = floats(in_[Op::kPosition1]);
        for (std::int64_t column = 0; column < l_.w; ++column) {
            double* const sums = to + column * l_.c;
            for (std::int64_t tap = 0; tap < 9; ++tap) {
                std::int64_t const i = row + tap / 3 - 1;
                std::int64_t const j = column + tap % 3 - 1;
                if (i < 0 || i >= l_.h || j < 0 || j >= l_.w) continue;
                double const* const v = value(n * l_.h + i, j);
                for (std::int64_t c = 0; c < l_.c; ++c) sums[c] += v[c] * weight[c * 9 + tap];
            }
            std::transform(sums, sums + l_.c, sums, gelu);
        }
    }

    [[nodiscard]] double position(double const* features, std::int64_t column, std::int64_t c) const {
        double sum = 0;
        for (std::int64_t tap = 0; tap < 9; ++tap) {
            std::int64_t const j = column + tap % 3 - 1;
            if (j < 0 || j >= l_.w) continue;
            sum += features[(tap / 3 * l_.w + j) * l_.c + c] * floats(in_[Op::kPosition2])[c * 9 + tap];
        }
        return sum;
    }

    std::span<TensorView const> in_;
    std::span<std::byte const* const> packed_;
    Nhwc<float> x_, y_;
    Layout l_;
    double* values_;  ///< v [N, H, W, C]
    double* sums_;    ///< [N · H][sums()]
};

}  // namespace

std::vector<Packing> SpectralAttentionKernel::packings(Op const&, Problem const& problem) {
    std::vector<Packing> all;
    for (int const input : {Op::kQueryWeight, Op::kKeyWeight, Op::kValueWeight, Op::kProjWeight}) {
        all.push_back(panel_packing(input, problem.inputs[static_cast<std::size_t>(input)]));
    }
    return all;
}

std::size_t SpectralAttentionKernel::workspace_bytes(Op const& op, Problem const& problem, int threads) {
    Layout const layout(op, problem.inputs[Op::kX]);
    return (scratch_doubles(layout.shared()) + static_cast<std::size_t>(threads) * scratch_doubles(layout.scratch())) *
           sizeof(double);
}

void SpectralAttentionKernel::launch(Op const& op, Launch const& launch) {
    Attention const attention(op, launch);
    Layout const layout(op, launch.inputs[Op::kX].shape);
    double* const scratch = reinterpret_cast<double*>(launch.workspace) + scratch_doubles(layout.shared());
    auto const of = [&](int worker) {
        return scratch + static_cast<std::size_t>(worker) * scratch_doubles(layout.scratch());
    };
    launch.threads->parallel_for(layout.n * layout.h,
                                 [&](std::int64_t item, int worker) { attention.read_row(item, of(worker)); });
    launch.threads->parallel_for(layout.n, [&](std::int64_t n, int) { attention.attend(n); });
    launch.threads->parallel_for(layout.n * layout.h,
                                 [&](std::int64_t item, int worker) { attention.write_row(item, of(worker)); });
}

}  // namespace vitrum::reference
