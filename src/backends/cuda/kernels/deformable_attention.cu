// SPDX-License-Identifier: Apache-2.0
#include "../general_kernels.h"
#include "layer_norm.cuh"
#include "rows.cuh"

namespace vitrum::cuda {
namespace {

using Op = DeformableAttention;

/// Rows of x + position, the position the same for every picture.
struct QueryLoad {
    Matrix x, position;
    int channels;
    std::int64_t first, pixels;  ///< of the chunk's rows; of a picture

    struct Row {
        float const *x, *position;
    };
    [[nodiscard]] __device__ Row row(std::int64_t m) const {
        return {x.at(first + m), position.at(divide(first + m, pixels).rest)};
    }
    using Quad = PlainQuad;
    [[nodiscard]] __device__ Quad quad(int k) const { return {k, channels - k}; }
    struct Raw {
        float4 x, position;
    };
    [[nodiscard]] __device__ Raw fetch(Row const& row, Quad const& quad) const {
        return {fetch4(row.x + quad.first, quad.count, x.vector),
                fetch4(row.position + quad.first, quad.count, position.vector)};
    }
    [[nodiscard]] __device__ float4 finish(Row const&, Quad const& quad, Raw const& raw) const {
        return first4(raw.x + raw.position, quad.count);
    }
};

/// For as many pixels as fit: offsets [2S], scores [S] and sampled values [C].
struct Parts {
    std::int64_t at_once, offset_stride, score_stride, sampled_stride;
    float *offsets, *scores, *sampled;
    std::size_t bytes;

    Parts(Op const& op, Shape const& x, std::byte* workspace)
        : offset_stride(padded_channels(2 * op.samples())),
          score_stride(padded_channels(op.samples())),
          sampled_stride(padded_channels(x[3])) {
        std::int64_t const pixels = x[0] * x[1] * x[2];
        at_once = items_at_once(pixels, (offset_stride + score_stride + sampled_stride) * 4);
        WorkspaceParts parts(workspace);
        offsets = parts.take<float>(at_once * offset_stride);
        scores = parts.take<float>(at_once * score_stride);
        sampled = parts.take<float>(at_once * sampled_stride);
        bytes = parts.bytes();
    }
};

/// Softmax over a head's samples, in place.
struct Weigh {
    Matrix scores;
    int heads, samples;  ///< samples of a head

    __device__ void operator()(std::int64_t item) const {
        Quotient const at = divide(item, heads);
        float* const own = scores.at(at.whole) + at.rest * samples;
        float largest = -INFINITY, sum = 0;
        for (int i = 0; i < samples; ++i) largest = fmaxf(largest, own[i]);
        for (int i = 0; i < samples; ++i) sum += own[i] = expf(own[i] - largest);
        for (int i = 0; i < samples; ++i) own[i] /= sum;
    }
};

/// One channel of a pixel: the weighted samples of its head.
struct Sample {
    Pixels x;  ///< for its extents
    Pixels maps[Op::kLevels];
    Matrix offsets, scores, sampled;
    std::int64_t first;  ///< pixel of the chunk
    int heads, points;

    /// The place in `to` pixels of the centre of pixel i of `from`.
    [[nodiscard]] static __device__ double scaled(std::int64_t i, std::int64_t from, std::int64_t to) {
        return (static_cast<double>(i) + 0.5) * static_cast<double>(to) / static_cast<double>(from) - 0.5;
    }
    /// map(row, column): bilinear between pixel centres at whole numbers, zero outside.
    [[nodiscard]] __device__ float at(Pixels const& map, std::int64_t n, double row, double column, int channel) const {
        bool const near =
            row > -1 && row < static_cast<double>(map.h) && column > -1 && column < static_cast<double>(map.w);
        if (!near) return 0;
        double const top = floor(row), left = floor(column);
        auto const i = static_cast<std::int64_t>(top), j = static_cast<std::int64_t>(left);
        auto const below = static_cast<float>(row - top), right = static_cast<float>(column - left);
        auto const tap = [&](std::int64_t y, std::int64_t x_) {
            bool const inside = y >= 0 && y < map.h && x_ >= 0 && x_ < map.w;
            return inside ? Matrix(map).at((n * map.h + y) * map.w + x_)[channel] : 0.0F;
        };
        float const upper = (1 - right) * tap(i, j) + right * tap(i, j + 1);
        float const lower = (1 - right) * tap(i + 1, j) + right * tap(i + 1, j + 1);
        return (1 - below) * upper + below * lower;
    }
    __device__ void operator()(std::int64_t item) const {
        Quotient const by_channel = divide(item, x.c);
        Place const place(first + by_channel.whole, x.h, x.w);
        int const channel = static_cast<int>(by_channel.rest), samples = Op::kLevels * points;
        int const head = channel / (x.c / heads);
        float const* const offset = offsets.at(by_channel.whole) + 2 * head * samples;
        float const* const weight = scores.at(by_channel.whole) + head * samples;
        float sum = 0;
#pragma unroll
        for (int level = 0; level < Op::kLevels; ++level) {
            Pixels const& map = maps[level];
            double const column = scaled(place.column, x.w, map.w), row = scaled(place.row, x.h, map.h);
            for (int point = 0; point < points; ++point) {
                int const i = level * points + point;
                sum = fmaf(weight[i],
                           at(map, place.n, row + static_cast<double>(offset[2 * i + 1]),
                              column + static_cast<double>(offset[2 * i]), channel),
                           sum);
            }
        }
        sampled.at(by_channel.whole)[channel] = sum;
    }
};

}  // namespace

template <Precision operands>
std::size_t DeformableAttentionKernel<operands>::workspace_bytes(Op const& op, Problem const& problem, int) {
    return Parts(op, problem.inputs[Op::kX], nullptr).bytes;
}

template <Precision operands>
void DeformableAttentionKernel<operands>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), position(in[Op::kPosition]);
    Parts const parts(op, in[Op::kX].shape, launch.workspace);
    int const samples = static_cast<int>(op.samples());
    Matrix const offsets(parts.offsets, parts.offset_stride), scores(parts.scores, parts.score_stride);
    Matrix const sampled(parts.sampled, parts.sampled_stride);
    Weight<operands> const offset_weight(launch.packed[0], 2 * samples, x.c);
    Weight<operands> const score_weight(launch.packed[1], samples, x.c), proj(launch.packed[2], x.c, x.c);
    Sample sample{x,        {Pixels(in[Op::kValue0]), Pixels(in[Op::kValue1]), Pixels(in[Op::kValue2])},
                  offsets,  scores,
                  sampled,  0,
                  op.heads, op.points};
    for (std::int64_t first = 0; first < x.count(); first += parts.at_once) {
        std::int64_t const rows = std::min(parts.at_once, x.count() - first);
        QueryLoad const query{x, position, x.c, first, position.count()};
        multiply(launch.stream, rows, query, offset_weight,
                 rows_to(offsets, 2 * samples, {floats(in[Op::kOffsetBias])}));
        multiply(launch.stream, rows, query, score_weight, rows_to(scores, samples, {floats(in[Op::kScoreBias])}));
        for_each(launch.stream, rows * op.heads, Weigh{scores, op.heads, samples / op.heads});
        sample.first = first;
        for_each(launch.stream, rows * x.c, sample);
        multiply(launch.stream, rows, rows_of(sampled, x.c), proj,
                 rows_to(y.from(first), x.c, {floats(in[Op::kProjBias])}, x.from(first)));
    }
    layer_norm(launch.stream, y, y, y.count(), y.c, in[Op::kNormWeight], in[Op::kNormBias], op.norm_epsilon);
}

template struct DeformableAttentionKernel<Precision::tf32>;
template struct DeformableAttentionKernel<Precision::fp32>;

}  // namespace vitrum::cuda
