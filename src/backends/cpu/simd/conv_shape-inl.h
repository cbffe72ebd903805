// SPDX-License-Identifier: Apache-2.0
// What a strip of a convolution takes: its patch of input rows, its results, and the lists of pixels around them.
#if defined(VITRUM_CPU_CONV_SHAPE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_CONV_SHAPE_INL
#undef VITRUM_CPU_CONV_SHAPE_INL
#else
#define VITRUM_CPU_CONV_SHAPE_INL
#endif

#include "scratch.h"
#include "simd/product-inl.h"
#include "simd/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

inline constexpr std::int64_t kColumns = 64;  ///< of a block of pixels: whole register blocks on every target
/// Where column 0 of a block lies in a patch row: a whole vector in, so that the middle tap loads aligned.
inline constexpr std::int64_t kMargin = 16;
/// Column 64, right of the block, lies in the next row's margin, of which a patch otherwise uses only the last float.
/// Five cache lines, an odd number, spread the rows over all cache sets.
inline constexpr std::int64_t kPatchStride = kMargin + kColumns;
/// Patch and results of a strip share the second-level cache (1 MiB on Zen 4, 2 MiB on Sapphire Rapids) with a panel
/// of weights. Zen 4, one core, 2026-11-21: 180 → 180 at 128 × 128 runs at 108 GFLOP/s of 116, 60 → 60 at 98.
inline constexpr std::int64_t kStripFloats = 150'000;

enum class Method : std::uint8_t { direct, winograd, strided_winograd };

struct ConvShape {
    std::int64_t inputs, outputs;
    Method method;
    std::int64_t stride;    ///< of the pictures of their own, as many each way
    std::int64_t channels;  ///< of the patch: of all these pictures
    std::int64_t taps;      ///< each way
    std::int64_t rows;      ///< output rows of a strip

    ConvShape(Conv2d const& op, Method how, Shape const& x, Shape const& weight, int threads)
        : inputs(x[3]),
          outputs(weight[0]),
          method(how),
          stride(op.stride),
          channels(stride * stride * inputs),
          taps(op.kernel / stride),
          rows(method == Method::winograd ? FourRowsOfThree::kMade : ThreeRowsOfTwo::kMade) {
        if (method != Method::direct) return;
        std::int64_t const per_row = inputs * kPatchStride + outputs * kColumns;
        std::int64_t const cached = (kStripFloats - (taps - 1) * inputs * kPatchStride) / per_row;
        // Four strips per thread even out the end of the parallel loop.
        std::int64_t const blocks = x[0] * ((x[2] + kColumns - 1) / kColumns);
        std::int64_t const shared = x[1] * blocks / (4 * threads);
        rows = std::clamp<std::int64_t>(std::min(cached, shared), 1, 8);
    }

    [[nodiscard]] std::int64_t pictures() const { return stride * stride; }
    [[nodiscard]] std::int64_t patch_rows() const { return rows + taps - 1; }
    /// Floats from one row of the patch to the next. Winograd's rows are mixed column by column, right borders too, so
    /// that none may lie in the next row's margin.
    [[nodiscard]] std::int64_t patch_row() const {
        return channels * kPatchStride + (method == Method::direct ? 0 : kMargin);
    }

    /// Of a row of a filter, in a panel.
    [[nodiscard]] std::int64_t filter_row() const { return channels * taps * kPanelRows; }
    [[nodiscard]] std::size_t mixed_filter_bytes() const {
        if (method == Method::direct) return 0;
        std::int64_t const floats = panels_of(outputs) * patch_rows() * filter_row();
        return static_cast<std::size_t>(round_up(floats, 16)) * sizeof(float);
    }
};

struct ConvScratch {
    float* patch;        ///< [patch_rows][channels][kPatchStride]
    float* products;     ///< [patch_rows][kPanelRows][kColumns] of a panel, before they become output rows
    float* result;       ///< [rows][outputs][kColumns]
    float* bias;         ///< [outputs] in the order of the packed rows
    float* trash;        ///< [outputs] where columns beyond the picture are stored
    float* zeros;        ///< [inputs] the pixels around the picture
    float const** from;  ///< [patch_rows][pictures][width] pixels of x
    float const** next;  ///< [rows][pictures][width] pixels of x that this worker will probably read next
    float const** add;   ///< [rows][width] pixels of the residual
    float** to;          ///< [rows][width] pixels of the output

    ConvScratch(ScratchCarver& carver, ConvShape const& s) {
        // Transposes write whole groups of four channels; the last row's right border is one float further on.
        carver.take(patch, s.patch_rows() * s.patch_row() + 4 * kPatchStride + kLanes);
        carver.take(products, s.method == Method::direct ? 0 : s.patch_rows() * kPanelRows * kColumns);
        carver.take(result, (s.rows * s.outputs + 4) * kColumns);
        carver.take(bias, s.outputs);
        carver.take(trash, round_up(s.outputs, 4));
        carver.take(zeros, round_up(s.inputs, 4));
        carver.take(from, s.patch_rows() * s.pictures() * kColumns);
        carver.take(next, s.rows * s.pictures() * kColumns);
        carver.take(add, s.rows * kColumns);
        carver.take(to, s.rows * kColumns);
    }
};

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
