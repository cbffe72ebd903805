// SPDX-License-Identifier: Apache-2.0
// Convolution with any kernel and stride. Output pixels in reading order lie in vector lanes; what the kernel covers of
// the input is gathered for each of them into a column of a matrix [ky][kx][channel], which the weights multiply.
#include "scratch.h"
#include "simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/gathered_conv.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/activation-inl.h"
#include "simd/product-inl.h"
#include "simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {
namespace {

using Op = Conv2d;

struct GatherShape {
    std::int64_t inputs, outputs, kernel;
    std::int64_t run;     ///< floats that are gathered at once: a pixel, or a row of the kernel where pixels are packed
    std::int64_t runs;    ///< of one output pixel
    std::int64_t tokens;  ///< of a tile

    GatherShape(Op const& op, Shape const& x, Shape const& weight, bool packed, int threads)
        : inputs(x[3]), outputs(weight[0]), kernel(op.kernel) {
        run = packed ? kernel * inputs : inputs;
        runs = packed ? kernel : kernel * kernel;
        // Whole register blocks, where matrix and results fit into the second-level cache (1 MiB on Zen 4) and every
        // thread gets some.
        constexpr std::int64_t kTileFloats = 200'000;
        std::int64_t const pixels = x[0] * ((x[1] + op.stride - 1) / op.stride) * ((x[2] + op.stride - 1) / op.stride);
        tokens = 64;
        while (tokens > kLanes && tokens > 16 &&
               (tokens * (terms() + outputs) > kTileFloats || pixels < tokens * threads)) {
            tokens /= 2;
        }
    }
    [[nodiscard]] std::int64_t terms() const { return runs * run; }
};

struct GatherScratch {
    float* matrix;       ///< [terms][T]
    float* result;       ///< [outputs][T]
    float* trash;        ///< [outputs] where tokens beyond the last are stored
    float* zeros;        ///< [run] pixels outside of the picture
    float* edges;        ///< [T][run] runs that are partly outside
    float const** from;  ///< [T]
    float const** add;   ///< [T] pixels of the residual
    float** to;          ///< [T] pixels of the output

    GatherScratch(ScratchCarver& carver, GatherShape const& s) {
        // Transposes write whole groups of four channels.
        carver.take(matrix, (s.terms() + 4) * s.tokens);
        carver.take(result, round_up(s.outputs, 4) * s.tokens);
        carver.take(trash, round_up(s.outputs, 4));
        carver.take(zeros, round_up(s.run, 4));
        carver.take(edges, s.run * s.tokens);
        carver.take(from, s.tokens);
        carver.take(add, s.tokens);
        carver.take(to, s.tokens);
    }
};

/// Pictures: the few floats of a pixel lie right behind those of the one before it.
bool is_packed(Nhwc<float> const& x) {
    return x.c <= 4 && x.stride == x.c;
}

class TileKernel {
public:
    TileKernel(Op const& op, Launch const& launch, GatherShape const& shape, GatherScratch const& scratch)
        : op_(op),
          in_(launch.inputs),
          x_(nhwc(in_[Op::kX])),
          y_(nhwc(launch.outputs[0])),
          weight_(floats(launch.packed[0])),
          has_residual_(in_[Op::kResidual].data != nullptr),
          residual_(has_residual_ ? nhwc(in_[Op::kResidual]) : y_),
          shape_(shape),
          s_(scratch) {}

    /// Output pixels `first` to `first + tokens`.
    void run(std::int64_t first) const {
        std::fill_n(s_.zeros, round_up(shape_.run, 4), 0.0F);
        gather(first);
        find_outputs(first);
        std::int64_t const panels = panels_of(shape_.outputs);
        Prefetcher prefetcher(shape_.tokens, panels);
        prefetcher.add(s_.to, shape_.outputs);
        if (has_residual_) prefetcher.add(s_.add, shape_.outputs);
        bool const late = has_residual_ && op_.residual_place == ResidualPlace::before_activation;
        auto const finish = [&](float* rows, int count) HWY_ATTR {
            prefetcher.step();
            if (!late) activate(op_.activation, op_.negative_slope, rows, count * shape_.tokens, rows);
        };
        linear(weight_, shape_.outputs, floats(in_[Op::kBias]), {s_.matrix, shape_.tokens, shape_.terms()},
               shape_.tokens, s_.result, shape_.tokens, finish);
        if (late && op_.activation == Activation::leaky_relu) store(LeakyReluValue{op_.negative_slope});
        else store(KeepValue());
    }

private:
    void gather(std::int64_t first) const {
        // Packed pixels have nothing between them that a transpose could read too much of.
        std::int64_t const stride = is_packed(x_) ? shape_.run : x_.stride;
        std::int64_t const runs_per_row = shape_.runs / shape_.kernel;
        for (std::int64_t i = 0; i < shape_.runs; ++i) {
            for (std::int64_t t = 0; t < shape_.tokens; ++t) {
                s_.from[t] = run_of(std::min(first + t, y_.pixels() - 1), i / runs_per_row, i % runs_per_row, t);
            }
            // Run after run: the rows that one writes beyond its own belong to the next.
            load_tile(s_.from, shape_.tokens, shape_.tokens, shape_.run, stride,
                      s_.matrix + i * shape_.run * shape_.tokens, shape_.tokens);
        }
    }

    /// Where what tap (ky, kx) of an output pixel reads begins; token t's edge buffer may be filled for it.
    [[nodiscard]] float const* run_of(std::int64_t pixel, std::int64_t ky, std::int64_t kx, std::int64_t t) const {
        std::int64_t const n = pixel / (y_.h * y_.w);
        std::int64_t const row = pixel / y_.w % y_.h * op_.stride - op_.padding() + ky;
        std::int64_t const column = pixel % y_.w * op_.stride - op_.padding() + kx;
        if (row < 0 || row >= x_.h) return s_.zeros;
        std::int64_t const width = shape_.run / x_.c;  // in pixels
        if (column >= 0 && column + width <= x_.w) return x_.pixel(n, row, column);
        std::int64_t const begin = std::max<std::int64_t>(0, -column);
        std::int64_t const end = std::min(width, x_.w - column);
        if (begin >= end) return s_.zeros;
        float* const edge = s_.edges + t * shape_.run;
        std::fill_n(edge, shape_.run, 0.0F);
        std::copy_n(x_.pixel(n, row, column + begin), (end - begin) * x_.c, edge + begin * x_.c);
        return edge;
    }

    void find_outputs(std::int64_t first) const {
        for (std::int64_t t = 0; t < shape_.tokens; ++t) {
            bool const real = first + t < y_.pixels();
            std::int64_t const pixel = real ? first + t : first;
            s_.add[t] = residual_.data + pixel * residual_.stride;
            s_.to[t] = real ? y_.data + pixel * y_.stride : s_.trash;
        }
    }

    template <class F>
    void store(F const& last) const {
        store_tile(s_.result, shape_.tokens, shape_.tokens, shape_.tokens, shape_.outputs, y_.stride, s_.to,
                   has_residual_ ? s_.add : nullptr, last);
    }

    Op const& op_;
    std::span<TensorView const> in_;
    Nhwc<float> x_, y_;
    float const* weight_;
    bool has_residual_;
    Nhwc<float> residual_;  ///< y where there is none
    GatherShape const& shape_;
    GatherScratch const& s_;
};

std::size_t workspace_bytes(Op const& op, Problem const& problem, int threads) {
    // Whether pixels are packed is known at launch: room for both.
    std::size_t bytes = 0;
    for (bool const packed : {false, problem.inputs[Op::kX][3] <= 4}) {
        GatherShape const shape(op, problem.inputs[Op::kX], problem.inputs[Op::kWeight], packed, threads);
        bytes = std::max(bytes, scratch_bytes<GatherScratch>(shape));
    }
    return static_cast<std::size_t>(threads) * bytes;
}

void launch_gathered_conv(Op const& op, Launch const& launch) {
    Nhwc<float> const x = nhwc(launch.inputs[Op::kX]);
    GatherShape const shape(op, launch.inputs[Op::kX].shape, launch.inputs[Op::kWeight].shape, is_packed(x),
                            launch.threads->size());
    std::int64_t const tiles = (nhwc(launch.outputs[0]).pixels() + shape.tokens - 1) / shape.tokens;
    launch.threads->parallel_for(tiles, [&](std::int64_t tile, int worker) {
        auto const scratch = scratch_of<GatherScratch>(launch, worker, shape);
        TileKernel(op, launch, shape, scratch).run(tile * shape.tokens);
    });
}

}  // namespace

constexpr Entry<Conv2d> gathered_conv_entry() {
    return {workspace_bytes, launch_gathered_conv};
}

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vitrum::cpu {
constinit EntryTable<Conv2d> const kGatheredConv = VITRUM_CPU_TABLE(Conv2d, gathered_conv_entry);
}  // namespace vitrum::cpu
#endif
