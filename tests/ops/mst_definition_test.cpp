// SPDX-License-Identifier: Apache-2.0
// The reference kernels of MST's operators against formulations of their own: whole planes in float64, one step of the
// original's code after the other.
#include <gtest/gtest.h>

#include <cmath>

#include "conv_mlp_cases.h"
#include "depthwise_cases.h"
#include "harness.h"
#include "spectral_attention_cases.h"

namespace vitrum::test {
namespace {

/// [C][H · W] of one picture.
using Planes = std::vector<std::vector<double>>;

struct Size {
    int h, w;
    [[nodiscard]] int pixels() const { return h * w; }
};

Planes planes_of(std::vector<float> const& nhwc, int n, Size size, int channels) {
    Planes planes(static_cast<std::size_t>(channels));
    for (int c = 0; c < channels; ++c) {
        for (int p = 0; p < size.pixels(); ++p) {
            planes[static_cast<std::size_t>(c)].push_back(
                nhwc[static_cast<std::size_t>((n * size.pixels() + p) * channels + c)]);
        }
    }
    return planes;
}

/// out[o] = Σ_i weight[o][i] · in[i] (+ bias[o])
Planes linear(Planes const& in, std::vector<float> const& weight, std::vector<float> const& bias = {}) {
    std::size_t const outputs = weight.size() / in.size();
    Planes out(outputs, std::vector<double>(in[0].size()));
    for (std::size_t o = 0; o < outputs; ++o) {
        for (std::size_t i = in.size(); i-- > 0;) {
            for (std::size_t p = 0; p < in[i].size(); ++p) out[o][p] += weight[o * in.size() + i] * in[i][p];
        }
        for (double& value : out[o]) value += bias.empty() ? 0 : bias[o];
    }
    return out;
}

/// Spreads each input pixel over the outputs that it touches.
Planes depthwise(Planes const& in, std::vector<float> const& weight, Size size, int kernel) {
    Planes out(in.size(), std::vector<double>(in[0].size()));
    for (std::size_t c = 0; c < in.size(); ++c) {
        for (int p = 0; p < size.pixels(); ++p) {
            for (int tap = 0; tap < kernel * kernel; ++tap) {
                int const i = p / size.w - (tap / kernel - kernel / 2);
                int const j = p % size.w - (tap % kernel - kernel / 2);
                if (i < 0 || i >= size.h || j < 0 || j >= size.w) continue;
                out[c][static_cast<std::size_t>(i * size.w + j)] +=
                    in[c][static_cast<std::size_t>(p)] *
                    weight[c * static_cast<std::size_t>(kernel * kernel) + static_cast<std::size_t>(tap)];
            }
        }
    }
    return out;
}

Planes gelu(Planes planes) {
    for (auto& plane : planes) {
        for (double& x : plane) x *= std::erfc(-x / std::sqrt(2.0)) / 2;
    }
    return planes;
}

void add_to(Planes& to, Planes const& from) {
    for (std::size_t c = 0; c < to.size(); ++c) {
        for (std::size_t p = 0; p < to[c].size(); ++p) to[c][p] += from[c][p];
    }
}

void expect_near(std::vector<float> const& actual, Planes const& expected, int n, std::string_view name) {
    std::size_t const pixels = expected[0].size();
    for (std::size_t c = 0; c < expected.size(); ++c) {
        for (std::size_t p = 0; p < pixels; ++p) {
            double const wanted = expected[c][p];
            double const given = actual[(static_cast<std::size_t>(n) * pixels + p) * expected.size() + c];
            ASSERT_NEAR(given, wanted, 1e-6 * (1 + std::abs(wanted))) << name << " channel " << c << " pixel " << p;
        }
    }
}

/// F.normalize over all pixels.
void normalise(Planes& planes) {
    for (auto& plane : planes) {
        double squares = 0;
        for (double const x : plane) squares += x * x;
        for (double& x : plane) x /= std::max(std::sqrt(squares), 1e-12);
    }
}

Planes attend(SpectralAttentionCase const& c, Planes const& q, Planes const& k, Planes const& v,
              std::vector<float> const& rescale) {
    Planes out(v.size(), std::vector<double>(v[0].size()));
    auto const dim = static_cast<std::size_t>(c.c / c.heads);
    for (std::size_t i = 0; i < v.size(); ++i) {
        std::size_t const head = i / dim;
        std::vector<double> weights;
        double sum = 0;
        for (std::size_t j = head * dim; j < (head + 1) * dim; ++j) {
            double cosine = 0;
            for (std::size_t p = 0; p < q[j].size(); ++p) cosine += k[i][p] * q[j][p];
            weights.push_back(std::exp(cosine * rescale[head]));  // |cosine| <= 1: no overflow to guard against
            sum += weights.back();
        }
        for (std::size_t j = 0; j < dim; ++j) {
            for (std::size_t p = 0; p < v[0].size(); ++p) out[i][p] += weights[j] / sum * v[head * dim + j][p];
        }
    }
    return out;
}

TEST(SpectralAttentionDefinition, AgreesWithTheOriginalsSteps) {
    using Op = SpectralAttention;
    for (SpectralAttentionCase const& c : kSpectralAttentionCases) {
        Values const values = make_values(to_case(c));
        auto const result = reference_output(to_case(c), values);
        Size const size{c.h, c.w};
        for (int n = 0; n < c.n; ++n) {
            Planes const x = planes_of(values[Op::kX], n, size, c.c);
            Planes q = linear(x, values[Op::kQueryWeight]);
            Planes k = linear(x, values[Op::kKeyWeight]);
            Planes const v = linear(x, values[Op::kValueWeight]);
            normalise(q);
            normalise(k);
            Planes guided = v;
            if (c.guide) {
                Planes const guide = planes_of(values[Op::kGuide], n, size, c.c);
                for (std::size_t i = 0; i < v.size(); ++i) {
                    for (std::size_t p = 0; p < v[i].size(); ++p) guided[i][p] *= guide[i][p];
                }
            }
            Planes y =
                linear(attend(c, q, k, guided, values[Op::kRescale]), values[Op::kProjWeight], values[Op::kProjBias]);
            add_to(y, depthwise(gelu(depthwise(v, values[Op::kPosition1], size, 3)), values[Op::kPosition2], size, 3));
            if (c.residual != Residual::none) add_to(y, planes_of(values[Op::kResidual], n, size, c.c));
            expect_near(result, y, n, c.name);
        }
    }
}

/// (x − mean) / deviation across the planes at each pixel.
Planes layer_norm(Planes planes, std::vector<float> const& weight, std::vector<float> const& bias) {
    auto const channels = static_cast<double>(planes.size());
    for (std::size_t p = 0; p < planes[0].size(); ++p) {
        double mean = 0;
        double squares = 0;
        for (auto const& plane : planes) mean += plane[p] / channels;
        for (auto const& plane : planes) squares += plane[p] * plane[p] / channels;
        double const deviation = std::sqrt(squares - mean * mean + static_cast<double>(ConvMlp{}.norm_epsilon));
        for (std::size_t c = 0; c < planes.size(); ++c) {
            planes[c][p] = (planes[c][p] - mean) / deviation * weight[c] + bias[c];
        }
    }
    return planes;
}

TEST(ConvMlpDefinition, AgreesWithTheOriginalsSteps) {
    using Op = ConvMlp;
    for (ConvMlpCase const& c : kConvMlpCases) {
        Values const values = make_values(to_case(c));
        auto const result = reference_output(to_case(c), values);
        Size const size{c.h, c.w};
        for (int n = 0; n < c.n; ++n) {
            Planes x = planes_of(values[Op::kX], n, size, c.c);
            if (c.norm) x = layer_norm(std::move(x), values[Op::kNormWeight], values[Op::kNormBias]);
            Planes const hidden = gelu(linear(x, values[Op::kFc1Weight]));
            Planes y = linear(gelu(depthwise(hidden, values[Op::kDepthWeight], size, 3)), values[Op::kFc2Weight]);
            if (c.residual != Residual::none) add_to(y, planes_of(values[Op::kResidual], n, size, c.c));
            expect_near(result, y, n, c.name);
        }
    }
}

TEST(DepthwiseConvDefinition, AgreesWithScatteredPixels) {
    using Op = DepthwiseConv;
    for (DepthwiseConvCase const& c : kDepthwiseConvCases) {
        Values const values = make_values(to_case(c));
        auto const result = reference_output(to_case(c), values);
        Size const size{c.h, c.w};
        for (int n = 0; n < c.n; ++n) {
            Planes y = depthwise(planes_of(values[Op::kX], n, size, c.c), values[Op::kWeight], size, c.kernel);
            for (std::size_t i = 0; i < y.size(); ++i) {
                for (double& value : y[i]) value += c.bias ? values[Op::kBias][i] : 0;
            }
            if (c.gated) {
                Planes const gated = planes_of(values[Op::kGated], n, size, c.c);
                for (std::size_t i = 0; i < y.size(); ++i) {
                    for (std::size_t p = 0; p < y[i].size(); ++p) {
                        y[i][p] = gated[i][p] * (1.5 + std::tanh(y[i][p] / 2) / 2);  // sigmoid, written otherwise
                    }
                }
            }
            expect_near(result, y, n, c.name);
        }
    }
}

TEST(ShiftBackDefinition, MovesChannelsLeft) {
    // Full rows: two columns a channel; a quarter of the rows: an eighth of a column, as often as 0.125 fits in.
    constexpr ShiftBackCase kFull{.name = "full", .h = 1, .w = 5, .c = 2, .to_w = 3, .full_rows = 1};
    EXPECT_EQ(reference_output(to_case(kFull), {{0, 10, 1, 11, 2, 12, 3, 13, 4, 14}}),
              (std::vector<float>{0, 12, 1, 13, 2, 14}));
    ShiftBack const op{};
    EXPECT_EQ(op.shift(27, 256), 54);
    EXPECT_EQ(op.shift(55, 128), 27);
    EXPECT_EQ(op.shift(111, 64), 13);
    EXPECT_EQ(op.shift(3, 200), 6);  // 256 / 200 rounds down to 1
}

}  // namespace
}  // namespace vitrum::test
