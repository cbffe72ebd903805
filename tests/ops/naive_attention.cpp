// SPDX-License-Identifier: Apache-2.0
#include "naive_attention.h"

#include <algorithm>
#include <cmath>

namespace vitrum::test {
namespace {

/// A float64 tensor of up to four dimensions, copied at every step.
struct Tensor {
    int a = 1, b = 1, c = 1, d = 1;
    std::vector<double> values = std::vector<double>(static_cast<std::size_t>(a) * b * c * d);

    double& at(int i, int j, int k, int l) { return values[static_cast<std::size_t>(((i * b + j) * c + k) * d + l)]; }
    [[nodiscard]] double at(int i, int j, int k, int l) const {
        return values[static_cast<std::size_t>(((i * b + j) * c + k) * d + l)];
    }
};

/// torch.roll over the second and third dimension.
Tensor roll(Tensor const& x, int by) {
    Tensor y{x.a, x.b, x.c, x.d};
    for (int n = 0; n < x.a; ++n) {
        for (int i = 0; i < x.b; ++i) {
            for (int j = 0; j < x.c; ++j) {
                int const to_i = ((i + by) % x.b + x.b) % x.b;
                int const to_j = ((j + by) % x.c + x.c) % x.c;
                for (int k = 0; k < x.d; ++k) y.at(n, to_i, to_j, k) = x.at(n, i, j, k);
            }
        }
    }
    return y;
}

/// The top left h × w pixels, zeros where x has none.
Tensor resized(Tensor const& x, int h, int w) {
    Tensor y{x.a, h, w, x.d};
    for (int n = 0; n < x.a; ++n) {
        for (int i = 0; i < std::min(x.b, h); ++i) {
            for (int j = 0; j < std::min(x.c, w); ++j) {
                for (int k = 0; k < x.d; ++k) y.at(n, i, j, k) = x.at(n, i, j, k);
            }
        }
    }
    return y;
}

/// [N, H, W, C] → [N · windows, 1, T, C], or back into `picture`.
template <class Move>
void for_each_window_pixel(Tensor const& picture, int window, Move const& move) {
    int index = 0;
    for (int n = 0; n < picture.a; ++n) {
        for (int i = 0; i < picture.b; i += window) {
            for (int j = 0; j < picture.c; j += window, ++index) {
                for (int t = 0; t < window * window; ++t) {
                    for (int k = 0; k < picture.d; ++k) move(index, t, n, i + t / window, j + t % window, k);
                }
            }
        }
    }
}

Tensor partition(Tensor const& x, int window) {
    Tensor windows{x.a * (x.b / window) * (x.c / window), 1, window * window, x.d};
    for_each_window_pixel(x, window, [&](int index, int t, int n, int i, int j, int k) {
        windows.at(index, 0, t, k) = x.at(n, i, j, k);
    });
    return windows;
}

Tensor linear(Tensor const& x, std::vector<float> const& weight, std::vector<float> const& bias, int out) {
    Tensor y{x.a, x.b, x.c, out};
    for (int i = 0; i < x.a * x.b * x.c; ++i) {
        for (int o = 0; o < out; ++o) {
            double sum = 0;
            for (int k = x.d - 1; k >= 0; --k) {
                sum += x.values[static_cast<std::size_t>(i * x.d + k)] * weight[static_cast<std::size_t>(o * x.d + k)];
            }
            if (!bias.empty()) sum += bias[static_cast<std::size_t>(o)];
            y.values[static_cast<std::size_t>(i * out + o)] = sum;
        }
    }
    return y;
}

/// E[x²] − E[x]²: not how the reference does it, and fine in float64.
void normalise(Tensor& x, std::vector<float> const& weight, std::vector<float> const& bias, double epsilon) {
    auto const channels = static_cast<std::size_t>(x.d);
    for (std::size_t first = 0; first < x.values.size(); first += channels) {
        double sum = 0;
        double squares = 0;
        for (std::size_t k = 0; k < channels; ++k) {
            sum += x.values[first + k] / x.d;
            squares += x.values[first + k] * x.values[first + k] / x.d;
        }
        for (std::size_t k = 0; k < channels; ++k) {
            double& value = x.values[first + k];
            value = (value - sum) / std::sqrt(squares - sum * sum + epsilon) * weight[k] + bias[k];
        }
    }
}

/// The original's img_mask: nine numbered regions of the rolled picture.
Tensor numbered_regions(int h, int w, int window, int shift) {
    Tensor mask{1, h, w, 1};
    int const h_ends[]{h - window, h - shift, h};
    int const w_ends[]{w - window, w - shift, w};
    double count = 0;
    int top = 0;
    for (int const bottom : h_ends) {
        int left = 0;
        for (int const right : w_ends) {
            for (int i = top; i < bottom; ++i) {
                for (int j = left; j < right; ++j) mask.at(0, i, j, 0) = count;
            }
            ++count;
            left = right;
        }
        top = bottom;
    }
    return mask;
}

/// softmax(q kᵀ · scale + bias + mask) v of one window and head, into `out`.
void attend(WindowAttentionCase const& c, double scale, Tensor const& qkv, std::vector<float> const& table,
            Tensor const& regions, int window, int head, Tensor& out) {
    int const dim = c.c / c.heads;
    int const t = c.window * c.window;
    int const region_window = window % regions.a;
    for (int i = 0; i < t; ++i) {
        std::vector<double> weights;
        for (int j = 0; j < t; ++j) {
            double sum = 0;
            for (int d = 0; d < dim; ++d) {
                sum += qkv.at(window, 0, i, head * dim + d) * scale * qkv.at(window, 0, j, c.c + head * dim + d);
            }
            int const dy = i / c.window - j / c.window + c.window - 1;
            int const dx = i % c.window - j % c.window + c.window - 1;
            sum += table[static_cast<std::size_t>((dy * (2 * c.window - 1) + dx) * c.heads + head)];
            bool const masked = c.shift > 0 && regions.at(region_window, 0, i, 0) != regions.at(region_window, 0, j, 0);
            weights.push_back(sum + (masked ? -100.0 : 0.0));
        }
        double const largest = *std::ranges::max_element(weights);
        double total = 0;
        for (double& weight : weights) total += weight = std::exp(weight - largest);
        for (int d = 0; d < dim; ++d) {
            double sum = 0;
            for (int j = 0; j < t; ++j) {
                sum += weights[static_cast<std::size_t>(j)] / total * qkv.at(window, 0, j, 2 * c.c + head * dim + d);
            }
            out.at(window, 0, i, head * dim + d) = sum;
        }
    }
}

}  // namespace

std::vector<double> naive_window_attention(WindowAttentionCase const& c, Values const& values) {
    WindowAttention const op = std::get<WindowAttention>(to_case(c).op);
    Tensor x{c.n, c.h, c.w, c.c};
    std::ranges::copy(values[WindowAttention::kX], x.values.begin());
    if (c.norm) normalise(x, values[WindowAttention::kNormWeight], values[WindowAttention::kNormBias], op.norm_epsilon);
    Tensor const extended =
        resized(x, (c.h + c.window - 1) / c.window * c.window, (c.w + c.window - 1) / c.window * c.window);
    Tensor const windows = partition(roll(extended, -c.shift), c.window);
    Tensor const regions = partition(numbered_regions(extended.b, extended.c, c.window, c.shift), c.window);
    Tensor const qkv = linear(windows, values[WindowAttention::kQkvWeight], values[WindowAttention::kQkvBias], 3 * c.c);
    Tensor attended{windows.a, 1, windows.c, c.c};
    for (int window = 0; window < windows.a; ++window) {
        for (int head = 0; head < c.heads; ++head)
            attend(c, op.scale, qkv, values[WindowAttention::kBiasTable], regions, window, head, attended);
    }
    Tensor const projected =
        linear(attended, values[WindowAttention::kProjWeight], values[WindowAttention::kProjBias], c.c);
    Tensor rolled{c.n, extended.b, extended.c, c.c};
    for_each_window_pixel(rolled, c.window, [&](int index, int t, int n, int i, int j, int k) {
        rolled.at(n, i, j, k) = projected.at(index, 0, t, k);
    });
    Tensor y = resized(roll(rolled, c.shift), c.h, c.w);
    auto const& residual = values[WindowAttention::kResidual];
    for (std::size_t i = 0; i < residual.size(); ++i) y.values[i] += residual[i];
    return y.values;
}

}  // namespace vitrum::test
