// SPDX-License-Identifier: Apache-2.0
// What Hopper's kernels serve, and how their weights lie: host code.
#include "../elan_layout.h"
#include "../fused_kernels.h"
#include "../pack.h"
#include "../pack_swin.h"
#include "../product_layout.h"
#include "../row_kernels.h"
#include "../shift_layout.h"
#include "../swin_layout.h"
#include "device.h"

namespace vitrum::cuda {
namespace {

Support precision_support(Problem const& problem) {
    if (problem.precision == Precision::fp32) return {false, "multiplies in fp16"};
    return hopper::device_support();
}

int columns_of(Shape const& x) {
    return static_cast<int>(round_up(x[3], 8));
}

}  // namespace

Support HopperWindowAttentionKernel::supports(Op const& op, Problem const& problem) {
    Shape const& x = problem.inputs[Op::kX];
    bool const has_width = op.heads == 6 && (x[3] == SwinMedium::kChannels || x[3] == SwinSmall::kChannels);
    if (!has_width)
        return {false, fmt::format("{} heads of {} channels in all: serves 6 of 60 or 180", op.heads, x[3])};
    if (op.window != 8 || op.shift % 4 != 0) return {false, "serves windows of 8, shifted by 4 or not"};
    if (x[1] % 8 != 0 || x[2] % 8 != 0) return {false, fmt::format("{} is not made of whole windows", x.str())};
    if (!problem.present[Op::kNormWeight]) return {false, "serves normalised inputs only"};
    if (!problem.present[Op::kQkvBias]) return {false, "serves q, k and v with biases only"};
    return precision_support(problem);
}

std::vector<Packing> HopperWindowAttentionKernel::packings(Op const&, Problem const& problem) {
    int const columns = columns_of(problem.inputs[Op::kX]);
    return {pack_swin_qkv(Op::kQkvWeight, problem.inputs[Op::kQkvWeight]),
            pack_swin_projection(Op::kProjWeight, problem.inputs[Op::kProjWeight]),
            pack_swin_qkv_bias(Op::kQkvBias, problem.inputs[Op::kQkvBias]),
            pack_swin_vector(Op::kProjBias, columns, false),
            pack_swin_table(Op::kBiasTable, problem.inputs[Op::kBiasTable]),
            pack_swin_vector(Op::kNormWeight, columns, true),
            pack_swin_vector(Op::kNormBias, columns, true)};
}

Support HopperMlpKernel::supports(Mlp const& op, Problem const& problem) {
    std::int64_t const channels = problem.inputs[Mlp::kX][3], hidden = problem.inputs[Mlp::kFc1Weight][0];
    auto const is = [&]<class W>(W) { return channels == W::kChannels && hidden == W::kHidden; };
    if (!is(SwinMedium{}) && !is(SwinSmall{}) && !is(SwinFirst{}) && !is(SwinSecond{})) {
        constexpr std::string_view kServed = "60, 120; 96, 384; 180, 360 and 192, 768";
        return {false, fmt::format("{} channels, {} hidden: serves {}", channels, hidden, kServed)};
    }
    if (op.activation != Activation::gelu) return {false, "serves GELU only"};
    if (!problem.present[Mlp::kNormWeight]) return {false, "serves normalised inputs only"};
    return precision_support(problem);
}

std::vector<Packing> HopperMlpKernel::packings(Mlp const&, Problem const& problem) {
    int const columns = columns_of(problem.inputs[Mlp::kX]);
    int const hidden = static_cast<int>(round_up(problem.inputs[Mlp::kFc1Weight][0], SwinMedium::kChunk));
    return {pack_swin_fc1(Mlp::kFc1Weight, problem.inputs[Mlp::kFc1Weight]),
            pack_swin_fc2(Mlp::kFc2Weight, problem.inputs[Mlp::kFc2Weight]),
            pack_swin_vector(Mlp::kFc1Bias, hidden, false),
            pack_swin_vector(Mlp::kFc2Bias, columns, false),
            pack_swin_vector(Mlp::kNormWeight, columns, true),
            pack_swin_vector(Mlp::kNormBias, columns, true)};
}

std::size_t HopperWindowAttentionKernel::workspace_bytes(Op const& op, Problem const& problem, int) {
    Shape const& x = problem.inputs[Op::kX];
    if (x[3] != SwinMedium::kChannels) return 0;
    std::int64_t const words = ChainWords::count(ChainWords::kMostLayers, x[0] * (x[1] / op.window));
    return static_cast<std::size_t>(words) * sizeof(int);
}

static bool is_swin_layer(Chosen const& attention, Chosen const& mlp) {
    bool const are = std::holds_alternative<WindowAttention>(attention.op) && std::holds_alternative<Mlp>(mlp.op) &&
                     attention.selection.kernel == HopperWindowAttentionKernel::kName &&
                     mlp.selection.kernel == HopperMlpKernel::kName;
    return are && attention.problem.inputs[WindowAttention::kX][3] == SwinMedium::kChannels &&
           attention.problem.present[WindowAttention::kResidual] && mlp.problem.present[Mlp::kResidual];
}

std::size_t HopperSwinLayersKernel::steps(std::span<Chosen const> steps) {
    if (steps.empty() || !std::holds_alternative<WindowAttention>(steps.front().op)) return 0;
    // Windows that wait for each other take longer than another start where all are computed at once.
    Shape const& x = steps.front().problem.inputs[WindowAttention::kX];
    bool const are_few = x[0] * (x[1] / 8) * (x[2] / 8) <= 2 * hopper::multiprocessors();
    std::size_t const most = std::min<std::size_t>(steps.size(), are_few ? 2 : 2 * ChainWords::kMostLayers);
    std::size_t served = 0;
    while (served + 2 <= most && is_swin_layer(steps[served], steps[served + 1])) {
        served += 2;
    }
    return served;
}

Support HopperShiftMlpKernel::supports(ShiftMlp const&, Problem const& problem) {
    std::int64_t const channels = problem.inputs[ShiftMlp::kX][3], hidden = problem.inputs[ShiftMlp::kFc1Weight][0];
    bool const has_width = (channels == ShiftLight::kChannels && hidden == ShiftLight::kHidden) ||
                           (channels == ShiftFull::kChannels && hidden == ShiftFull::kHidden);
    if (!has_width) {
        return {false, fmt::format("{} channels, {} hidden: serves 60, 120 and 180, 360", channels, hidden)};
    }
    return precision_support(problem);
}

std::vector<Packing> HopperShiftMlpKernel::packings(ShiftMlp const&, Problem const& problem) {
    using Op = ShiftMlp;
    return {pack_hopper_shift(Op::kFc1Weight, problem.inputs[Op::kFc1Weight], true),
            pack_hopper_shift(Op::kFc2Weight, problem.inputs[Op::kFc2Weight], false)};
}

Support HopperRegionKernel::supports(Op const& op, Problem const& problem) {
    Shape const& x = problem.inputs[Op::kX];
    if (x[3] != GroupValueWeights::kChannels) return {false, fmt::format("{} channels: serves 60", x[3])};
    if (problem.inputs[Op::kQuery].rank() == 0) return {false, "projects no queries"};
    if (problem.precision == Precision::tf32) return {false, "probabilities of one float16"};
    if (Support regions = regions_fit(op, x); !regions.ok) return regions;
    return precision_support(problem);
}

std::vector<Packing> HopperRegionKernel::packings(Op const&, Problem const&) {
    return {pack_group_values(Op::kInWeight), pack_pixel_operand(Op::kOutWeight)};
}

Support HopperWideRegionKernel::supports(Op const& op, Problem const& problem) {
    Shape const& x = problem.inputs[Op::kX];
    if (x[3] != GroupBothWeights::kChannels) return {false, fmt::format("{} channels: serves 180", x[3])};
    if (problem.inputs[Op::kQuery].rank() != 0) return {false, "projects queries itself"};
    if (Support regions = regions_fit(op, x); !regions.ok) return regions;
    return precision_support(problem);
}

std::vector<Packing> HopperWideRegionKernel::packings(Op const&, Problem const&) {
    return {pack_group_both(Op::kInWeight), pack_group_output_operand(Op::kOutWeight)};
}

Support HopperPixelConvKernel::supports(Conv2d const& op, Problem const& problem) {
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    if (Support alone = pixels_alone(op, problem); !alone.ok) return alone;
    if (weight[0] % 4 != 0 || weight[1] % 4 != 0) return {false, "channels that are no multiple of 4"};
    return precision_support(problem);
}

std::vector<Packing> HopperPixelConvKernel::packings(Conv2d const&, Problem const&) {
    return {pack_pixel_operand(Conv2d::kWeight)};
}

namespace {

Support rows_support(Problem const& problem, std::int64_t rows, std::int64_t channels, std::int64_t results) {
    constexpr std::int64_t kFewRows = 512;
    if (rows < kFewRows) return {false, fmt::format("{} pixels, fewer than {}", rows, kFewRows)};
    if (channels < 32 || channels > kMostPrepared || channels % 8 != 0 || results % 4 != 0) {
        return {false, fmt::format("{} and {} channels: serves multiples of 8 from 32 to {}, and of 4", channels,
                                   results, kMostPrepared)};
    }
    return precision_support(problem);
}

std::int64_t pixels_of(Shape const& x) {
    return x[0] * x[1] * x[2];
}

}  // namespace

Support HopperRowMlpKernel::supports(Mlp const&, Problem const& problem) {
    Shape const& x = problem.inputs[Mlp::kX];
    return rows_support(problem, pixels_of(x), x[3], x[3]);
}

std::vector<Packing> HopperRowMlpKernel::packings(Mlp const&, Problem const& problem) {
    auto const padded = [](std::int64_t columns) { return static_cast<int>(round_up(columns, kProductColumns)); };
    Shape const &fc1 = problem.inputs[Mlp::kFc1Weight], &fc2 = problem.inputs[Mlp::kFc2Weight];
    std::vector<Packing> all = {
        pack_hopper_rows(Mlp::kFc1Weight, fc1, false), pack_hopper_rows(Mlp::kFc2Weight, fc2, true),
        pack_swin_vector(Mlp::kFc1Bias, padded(fc1[0]), false), pack_swin_vector(Mlp::kFc2Bias, padded(fc2[0]), false)};
    if (problem.present[Mlp::kNormWeight]) {
        int const channels = static_cast<int>(fc2[0]);
        all.push_back(pack_swin_vector(Mlp::kNormWeight, channels, false));
        all.push_back(pack_swin_vector(Mlp::kNormBias, channels, false));
    }
    return all;
}

Support HopperRowWindowKernel::supports(Op const& op, Problem const& problem) {
    Shape const& x = problem.inputs[Op::kX];
    if (x[3] != std::int64_t{op.heads} * kDim) {
        return {false, fmt::format("{} heads of {} channels in all: serves heads of {}", op.heads, x[3], kDim)};
    }
    if (op.window > 8) return {false, fmt::format("windows of {0} × {0}, more than 8 × 8", op.window)};
    if (!problem.present[Op::kNormWeight]) return {false, "serves normalised inputs only"};
    if (!problem.present[Op::kQkvBias]) return {false, "serves q, k and v with biases only"};
    return rows_support(problem, pixels_of(x), x[3], x[3]);
}

std::vector<Packing> HopperRowWindowKernel::packings(Op const&, Problem const& problem) {
    int const channels = static_cast<int>(problem.inputs[Op::kX][3]);
    auto const padded = [](int columns) { return static_cast<int>(round_up(columns, kProductColumns)); };
    return {pack_hopper_rows(Op::kQkvWeight, problem.inputs[Op::kQkvWeight], false),
            pack_hopper_rows(Op::kProjWeight, problem.inputs[Op::kProjWeight], true),
            pack_swin_vector(Op::kQkvBias, padded(3 * channels), false),
            pack_swin_vector(Op::kProjBias, padded(channels), false),
            pack_transposed(Op::kBiasTable, problem.inputs[Op::kBiasTable]),
            pack_swin_vector(Op::kNormWeight, channels, false),
            pack_swin_vector(Op::kNormBias, channels, false)};
}

Support HopperPatchMergingKernel::supports(Op const&, Problem const& problem) {
    std::int64_t const channels = problem.inputs[Op::kX][3];
    if (channels % 8 != 0) return {false, fmt::format("{} channels, no multiple of 8", channels)};
    return rows_support(problem, pixels_of(problem.outputs[0]), 4 * channels, problem.outputs[0][3]);
}

std::vector<Packing> HopperPatchMergingKernel::packings(Op const&, Problem const& problem) {
    int const channels = static_cast<int>(4 * problem.inputs[Op::kX][3]);
    return {pack_hopper_rows(Op::kWeight, problem.inputs[Op::kWeight], true),
            pack_swin_vector(Op::kNormWeight, channels, false), pack_swin_vector(Op::kNormBias, channels, false)};
}

Support HopperRowConvKernel::supports(Conv2d const& op, Problem const& problem) {
    if (op.kernel != 1 || op.stride != 1 || op.pixel_shuffle != 1) return {false, "for 1 × 1 and stride 1 only"};
    if (op.activation == Activation::gelu) return {false, "knows no GELU"};
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    return rows_support(problem, pixels_of(problem.inputs[Conv2d::kX]), weight[1], weight[0]);
}

std::vector<Packing> HopperRowConvKernel::packings(Conv2d const&, Problem const& problem) {
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    std::vector<Packing> all = {pack_hopper_rows(Conv2d::kWeight, weight, true)};
    if (problem.present[Conv2d::kBias]) {
        int const padded = static_cast<int>(round_up(weight[0], kProductColumns));
        all.push_back(pack_swin_vector(Conv2d::kBias, padded, false));
    }
    return all;
}

Support HopperConvKernel::supports(Conv2d const& op, Problem const& problem) {
    std::int64_t const inputs = problem.inputs[Conv2d::kWeight][1];
    if (op.kernel != 3 || op.stride != 1) return {false, "for 3 × 3 and stride 1 only"};
    if (inputs < 16 || inputs > ConvBlocks::kMostChunks * kConvChunk) {
        return {false, fmt::format("{} input channels: serves 16 to {}", inputs, ConvBlocks::kMostChunks * kConvChunk)};
    }
    bool const has_residual = problem.present[Conv2d::kResidual];
    if (has_residual &&
        ConvBlocks::are_sorted(static_cast<int>(problem.inputs[Conv2d::kWeight][0]), op.pixel_shuffle)) {
        return {false, "no residual before a shuffle"};
    }
    // Offsets inside of a tile are int.
    Shape const& weight = problem.inputs[Conv2d::kWeight];
    std::int64_t const row = problem.inputs[Conv2d::kX][2] * round_up(std::max(weight[0], weight[1]), 8);
    if (row > std::int64_t{1} << 26) return {false, fmt::format("rows of {} numbers: serves up to 2^26", row)};
    return precision_support(problem);
}

std::vector<Packing> HopperConvKernel::packings(Conv2d const& op, Problem const& problem) {
    return {pack_hopper_conv(Conv2d::kWeight, problem.inputs[Conv2d::kWeight], op, problem.present[Conv2d::kResidual])};
}

}  // namespace vitrum::cuda
