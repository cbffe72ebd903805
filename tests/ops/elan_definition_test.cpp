// SPDX-License-Identifier: Apache-2.0
// The reference kernels of ELAN's operators against the original's way of saying the same: depthwise filters of one 1
// each for shifts; rolled pictures cut into windows for attention.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "elan_cases.h"
#include "harness.h"

namespace vitrum::test {
namespace {

/// [N, H, W, C] in float64; reads outside give zero.
struct Picture {
    int n, h, w, c;
    std::vector<double> values;

    Picture(int in, int ih, int iw, int ic)
        : n(in), h(ih), w(iw), c(ic), values(static_cast<std::size_t>(in) * ih * iw * ic) {}

    double& at(int in, int y, int x, int ch) {
        return values[((static_cast<std::size_t>(in) * h + y) * w + x) * static_cast<std::size_t>(c) + ch];
    }
    [[nodiscard]] double or_zero(int in, int y, int x, int ch) {
        return y < 0 || y >= h || x < 0 || x >= w ? 0 : at(in, y, x, ch);
    }
    template <class F>
    void fill(F const& f) {
        for (int in = 0; in < n; ++in) {
            for (int y = 0; y < h; ++y) {
                for (int x = 0; x < w; ++x) {
                    for (int ch = 0; ch < c; ++ch) at(in, y, x, ch) = f(in, y, x, ch);
                }
            }
        }
    }
};

Picture picture(std::vector<float> const& values, int n, int h, int w, int c) {
    Picture p(n, h, w, c);
    std::copy(values.begin(), values.end(), p.values.begin());
    return p;
}

Picture linear(Picture& x, std::vector<float> const& weight, std::vector<float> const& bias) {
    Picture y(x.n, x.h, x.w, static_cast<int>(bias.size()));
    y.fill([&](int n, int i, int j, int o) {
        double sum = bias[static_cast<std::size_t>(o)];
        for (int c = 0; c < x.c; ++c) sum += weight[static_cast<std::size_t>(o * x.c + c)] * x.at(n, i, j, c);
        return sum;
    });
    return y;
}

/// A depthwise 3 × 3 convolution whose filters hold a single 1.
Picture shift(Picture& x) {
    int const g = x.c / 5;
    constexpr int kOnes[5][2] = {{1, 2}, {1, 0}, {2, 1}, {0, 1}, {1, 1}};
    Picture y(x.n, x.h, x.w, x.c);
    y.fill([&](int n, int i, int j, int c) {
        double sum = 0;
        for (int ky = 0; ky < 3; ++ky) {
            for (int kx = 0; kx < 3; ++kx) {
                auto const& one = kOnes[c < 4 * g ? c / g : 4];
                double const weight = ky == one[0] && kx == one[1] ? 1 : 0;
                sum += weight * x.or_zero(n, i + ky - 1, j + kx - 1, c);
            }
        }
        return sum;
    });
    return y;
}

Picture roll(Picture& x, int by) {
    Picture y(x.n, x.h, x.w, x.c);
    y.fill([&](int n, int i, int j, int c) { return x.at(n, (i - by + x.h) % x.h, (j - by + x.w) % x.w, c); });
    return y;
}

Picture channels(Picture& x, int first, int count) {
    Picture y(x.n, x.h, x.w, count);
    y.fill([&](int n, int i, int j, int c) { return x.at(n, i, j, first + c); });
    return y;
}

/// softmax(q·qᵀ) · v of one group, window by window.
Picture attend(Picture& q, Picture& v, int window) {
    Picture y(v.n, v.h, v.w, v.c);
    y.fill([&](int n, int i, int j, int c) {
        int const top = i / window * window;
        int const left = j / window * window;
        double sum = 0;
        double weighted = 0;
        double largest = -INFINITY;
        auto const logit = [&](int key) {
            double product = 0;
            for (int k = 0; k < q.c; ++k) {
                product += q.at(n, i, j, k) * q.at(n, top + key / window, left + key % window, k);
            }
            return product;
        };
        for (int key = 0; key < window * window; ++key) largest = std::max(largest, logit(key));
        for (int key = 0; key < window * window; ++key) {
            double const weight = std::exp(logit(key) - largest);
            sum += weight;
            weighted += weight * v.at(n, top + key / window, left + key % window, c);
        }
        return weighted / sum;
    });
    return y;
}

std::vector<double> naive(ShiftMlpCase const& c, Values const& in) {
    using Op = ShiftMlp;
    Picture x = picture(in[Op::kX], c.n, c.h, c.w, c.c);
    Picture moved = shift(x);
    Picture hidden = linear(moved, in[Op::kFc1Weight], in[Op::kFc1Bias]);
    for (double& value : hidden.values) value = value > 0 ? value : 0;
    Picture hidden_moved = shift(hidden);
    Picture y = linear(hidden_moved, in[Op::kFc2Weight], in[Op::kFc2Bias]);
    for (std::size_t i = 0; i < in[Op::kResidual].size(); ++i) y.values[i] += in[Op::kResidual][i];
    return y.values;
}

std::vector<double> naive(GroupWindowAttentionCase const& c, Values const& in) {
    using Op = GroupWindowAttention;
    Picture x = picture(in[Op::kX], c.n, c.h, c.w, c.c);
    Picture projected = linear(x, in[Op::kInWeight], in[Op::kInBias]);
    int const dim = c.c / 3;
    Picture attended(c.n, c.h, c.w, c.c);
    for (int g = 0; g < 3; ++g) {
        int const window = c.windows[static_cast<std::size_t>(g)];
        int const by = c.shifted ? window / 2 : 0;
        Picture query = picture(in[Op::kQuery], c.n, c.h, c.w, c.query ? c.c : 0);
        Picture q = c.query ? channels(query, g * dim, dim) : channels(projected, 2 * g * dim, dim);
        Picture v = channels(projected, c.query ? g * dim : (2 * g + 1) * dim, dim);
        Picture q_rolled = roll(q, -by);
        Picture v_rolled = roll(v, -by);
        Picture y = attend(q_rolled, v_rolled, window);
        Picture back = roll(y, by);
        back.fill(
            [&](int n, int i, int j, int ch) { return attended.at(n, i, j, g * dim + ch) = back.at(n, i, j, ch); });
    }
    Picture y = linear(attended, in[Op::kOutWeight], in[Op::kOutBias]);
    for (std::size_t i = 0; i < in[Op::kResidual].size(); ++i) y.values[i] += in[Op::kResidual][i];
    return y.values;
}

template <class Cases>
void expect_naive(Cases const& cases, int most_values) {
    for (auto const& c : cases) {
        if (c.n * c.h * c.w * c.c > most_values) continue;  // the naive way is slow
        Values const values = make_values(to_case(c));
        auto const result = reference_output(to_case(c), values);
        auto const expected = naive(c, values);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            ASSERT_NEAR(result[i], expected[i], 1e-7 * (1 + std::abs(expected[i]))) << c.name << " at " << i;
        }
    }
}

TEST(ShiftMlpDefinition, AgreesWithTheOriginalsWay) {
    expect_naive(kShiftMlpCases, 16 * 16 * 60);
}

TEST(GroupWindowAttentionDefinition, AgreesWithTheOriginalsWay) {
    expect_naive(kGroupWindowAttentionCases, 16 * 32 * 24);
}

TEST(ShiftMlpDefinition, TakesTheValueToTheRightInTheFirstFifth) {
    // Five channels in, one hidden (which stays where it is) that sums them up, and back to the first channel.
    constexpr ShiftMlpCase kCase{.name = "cross", .h = 3, .w = 3, .c = 5, .hidden = 1, .residual = Residual::none};
    std::vector<float> x(3 * 3 * 5);
    for (std::size_t p = 0; p < 9; ++p) {
        for (std::size_t c = 0; c < 5; ++c) x[p * 5 + c] = static_cast<float>((c + 1) * std::size_t{100} + p);
    }
    for (std::size_t c = 0; c < 5; ++c) {
        std::vector<float> fc1(5);
        fc1[c] = 1;
        auto const y = reference_output(to_case(kCase), {x, fc1, {0}, {1, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {}});
        // Of the middle pixel 4: right 5, left 3, below 7, above 1, itself 4.
        constexpr float kExpected[] = {105, 203, 307, 401, 504};
        EXPECT_EQ(y[4 * 5], kExpected[c]);
    }
}

}  // namespace
}  // namespace vitrum::test
