// SPDX-License-Identifier: Apache-2.0
// Between callers' tensors (planes or pixels first, any strides, any floating-point type) and the network's packed
// float32. Both sides are walked in their own order, by way of a tile in shared memory: what a warp reads or writes at
// a time lies together, whichever dimension is innermost there.
#include "../element_copy.h"

#include "backends/memory.h"
#include "dense.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kChannels = 32;               // of a tile, at most
constexpr int kFew = 4, kManyPixels = 512;  // a picture's colours, and the pixels that make up for them
constexpr int kPixels = 64;
constexpr int kTile = kChannels * (kPixels + 1);  // a row of pixels for each channel, one beside the banks of the next
static_assert(kFew * (kManyPixels + 1) <= kTile);

/// Rows of pixels of one side; strides in elements.
template <class T>
struct Rows {
    T* data;
    std::int64_t n_stride, h_stride, w_stride, c_stride;

    [[nodiscard]] __device__ T& at(Place const& row, std::int64_t column, std::int64_t channel) const {
        return data[row.n * n_stride + row.row * h_stride + column * w_stride + channel * c_stride];
    }
};

struct Extents {
    std::int64_t n, h, w, c;

    [[nodiscard]] __host__ __device__ int pixels() const { return c <= kFew ? kManyPixels : kPixels; }
    [[nodiscard]] __host__ __device__ std::int64_t across() const { return divide_up(w, pixels()); }
    [[nodiscard]] __host__ __device__ std::int64_t deep() const { return divide_up(c, kChannels); }
    [[nodiscard]] std::int64_t tiles() const { return n * h * across() * deep(); }
};

/// Calls body(pixel, channel) for all of a tile, in the order in which they lie in memory.
template <class Body>
__device__ void walk(int pixels, int channels, bool channels_inside, Body const& body) {
    for (int i = static_cast<int>(threadIdx.x); i < pixels * channels; i += kThreads) {
        if (channels_inside) body(i / channels, i % channels);
        else body(i % pixels, i / pixels);
    }
}

template <class From, class To>
__global__ void __launch_bounds__(kThreads)
    copy_tiles(Rows<From> from, Rows<To> to, Extents extents, std::uint32_t* faults) {
    using Number = std::conditional_t<std::is_same_v<From, double> || std::is_same_v<To, double>, double, float>;
    __shared__ To tile[kTile];
    Quotient const at = divide(blockIdx.x, extents.deep());
    Quotient const line = divide(at.whole, extents.across());
    Place const row(line.whole, extents.h, 1);
    std::int64_t const column = line.rest * extents.pixels(), channel = at.rest * kChannels;
    int const stride = extents.pixels() + 1;
    int const pixels = static_cast<int>(min(extents.w - column, static_cast<std::int64_t>(extents.pixels())));
    int const channels = static_cast<int>(min(extents.c - channel, static_cast<std::int64_t>(kChannels)));
    std::uint32_t seen = 0;
    walk(pixels, channels, from.c_stride == 1, [&](int p, int c) {
        auto const number = from_element<Number>(from.at(row, column + p, channel + c));
        To const stored = to_element<To>(number);
        if (!std::isfinite(number)) seen |= kNotFinite;
        else if (!std::isfinite(from_element<Number>(stored))) seen |= kOutOfRange;
        tile[c * stride + p] = stored;
    });
    if (faults != nullptr && seen != 0) atomicOr(faults, seen);
    __syncthreads();
    walk(pixels, channels, to.c_stride == 1,
         [&](int p, int c) { to.at(row, column + p, channel + c) = tile[c * stride + p]; });
}

/// As few and as long rows as both sides have.
void merge(Extents& e, Shape& a, Shape& b) {
    auto const follow = [](Shape const& s, int outer, std::int64_t inside) { return s[outer] == s[2] * inside; };
    if (follow(a, 1, e.w) && follow(b, 1, e.w)) e.w *= e.h, e.h = 1;
    if (e.h == 1 && follow(a, 0, e.w) && follow(b, 0, e.w)) e.w *= e.n, e.n = 1;
}

template <class From, class To>
void launch(TensorView const& to, TensorView const& from, std::uint32_t* faults, void* stream) {
    Extents e{from.shape[0], from.shape[1], from.shape[2], from.shape[3]};
    Shape in = from.strides, out = to.strides;
    merge(e, in, out);
    start(stream, copy_tiles<From, To>, e.tiles(), kThreads,
          Rows<From>{reinterpret_cast<From*>(from.data), in[0], in[1], in[2], in[3]},
          Rows<To>{reinterpret_cast<To*>(to.data), out[0], out[1], out[2], out[3]}, e, faults);
}

/// Calls body with a value of the type.
template <class Body>
void with_floating(DType type, Body const& body) {
    switch (type) {
        case DType::f32: return body(float{});
        case DType::f16: return body(Half{});
        case DType::bf16: return body(Bfloat{});
        case DType::f64: return body(double{});
        default: VITRUM_ASSERT(false);
    }
}

}  // namespace

void copy_elements(TensorView const& to, TensorView const& from, std::uint32_t* faults, void* stream) {
    VITRUM_ASSERT(from.shape.rank() == 4 && from.shape == to.shape);
    with_floating(from.dtype, [&]<class From>(From) {
        if (to.dtype == DType::f32) return launch<From, float>(to, from, faults, stream);
        if (to.dtype == from.dtype) return launch<From, From>(to, from, faults, stream);
        VITRUM_ASSERT(from.dtype == DType::f32);
        with_floating(to.dtype, [&]<class To>(To) { launch<float, To>(to, from, faults, stream); });
    });
}

}  // namespace vitrum::cuda
