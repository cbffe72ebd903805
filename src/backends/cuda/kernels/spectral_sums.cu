// SPDX-License-Identifier: Apache-2.0
#include "spectral_attention.cuh"

namespace vitrum::cuda {
namespace {

constexpr int kSide = 32;          // channels i × channels j of a block
constexpr int kPixelsAtOnce = 32;  // summed in float32, then added in float64
constexpr int kThreads = 256;

struct Slice {
    Matrix q, k;
    std::int64_t pixels, per_part;
    int tiles;  ///< of kSide channels, along a head's D
};

/// A tile of pixels × channels in shared memory, zeros where there is nothing.
__device__ void fill(float (&tile)[kPixelsAtOnce][kSide], Matrix const& from, std::int64_t first, std::int64_t last,
                     int channel, int channels) {
    for (int i = static_cast<int>(threadIdx.x); i < kPixelsAtOnce * kSide; i += kThreads) {
        int const p = i / kSide, c = i % kSide;
        tile[p][c] = first + p < last && c < channels ? from.at(first + p)[channel + c] : 0.0F;
    }
}

/// Sums over the pixels of one part: a block has kSide × kSide products of one head; a thread 2 × 2 of them. Blocks
/// of the first tiles have the squares too: a thread each for q and for k.
__global__ void __launch_bounds__(kThreads) products_kernel(SpectralSums sums, Slice slice) {
    __shared__ float q[kPixelsAtOnce][kSide], k[kPixelsAtOnce][kSide];
    int const tiles = slice.tiles * slice.tiles;
    Quotient const by_tile = divide(static_cast<std::int64_t>(blockIdx.x), tiles);
    Quotient const by_head = divide(by_tile.whole, sums.heads);
    int const first_i = static_cast<int>(by_tile.rest) / slice.tiles * kSide;
    int const first_j = static_cast<int>(by_tile.rest) % slice.tiles * kSide;
    int const head = static_cast<int>(by_head.rest) * sums.dim, thread = static_cast<int>(threadIdx.x);
    int const i = thread / 16 * 2, j = thread % 16 * 2;
    double total[2][2] = {}, square = 0;
    bool const is_q = thread < kSide;
    std::int64_t const begin = by_head.whole * slice.per_part;
    std::int64_t const end = min(slice.pixels, begin + slice.per_part);
    for (std::int64_t first = begin; first < end; first += kPixelsAtOnce) {
        __syncthreads();
        fill(q, slice.q, first, end, head + first_j, sums.dim - first_j);
        fill(k, slice.k, first, end, head + first_i, sums.dim - first_i);
        __syncthreads();
        float part[2][2] = {}, squares = 0;
        for (int p = 0; p < kPixelsAtOnce; ++p) {
            for (int a = 0; a < 2; ++a) {
                for (int b = 0; b < 2; ++b) part[a][b] = fmaf(k[p][i + a], q[p][j + b], part[a][b]);
            }
            float const own = thread >= 2 * kSide ? 0.0F : is_q ? q[p][thread] : k[p][thread - kSide];
            squares = fmaf(own, own, squares);
        }
        for (int a = 0; a < 2; ++a) {
            for (int b = 0; b < 2; ++b) total[a][b] += static_cast<double>(part[a][b]);
        }
        square += static_cast<double>(squares);
    }
    double* const to = sums.parts + by_head.whole * sums.per_picture() + by_head.rest * sums.per_head();
    for (int a = 0; a < 2; ++a) {
        for (int b = 0; b < 2; ++b) {
            int const row = first_i + i + a, column = first_j + j + b;
            if (row < sums.dim && column < sums.dim) to[row * sums.dim + column] = total[a][b];
        }
    }
    double* const squares = to + sums.dim * sums.dim;
    if (is_q && first_i == 0 && first_j + thread < sums.dim) squares[first_j + thread] = square;
    int const own_k = first_i + thread - kSide;
    if (!is_q && thread < 2 * kSide && first_j == 0 && own_k < sums.dim) squares[sums.dim + own_k] = square;
}

/// Entry i of a picture's sums over its parts, in their order.
struct AddParts {
    SpectralSums sums;
    std::int64_t n, count;
    bool is_first;

    __device__ void operator()(std::int64_t i) const {
        double& to = sums.total[n * sums.per_picture() + i];
        double total = is_first ? 0 : to;
        for (std::int64_t part = 0; part < count; ++part) total += sums.parts[part * sums.per_picture() + i];
        to = total;
    }
};

/// Row i of a picture's attention: a softmax over the channels of its head.
struct Attend {
    SpectralSums sums;
    float const* rescale;

    __device__ void operator()(std::int64_t item) const {
        Quotient const at = divide(item, sums.channels);
        int const head = static_cast<int>(at.rest) / sums.dim, i = static_cast<int>(at.rest) % sums.dim;
        double const* const total = sums.total + at.whole * sums.per_picture() + head * sums.per_head();
        double const* const squares = total + sums.dim * sums.dim;
        double const factor = static_cast<double>(rescale[head]) / norm(squares[sums.dim + i]);
        double largest = -INFINITY, sum = 0;
        auto const logit = [&](int j) { return total[i * sums.dim + j] * factor / norm(squares[j]); };
        for (int j = 0; j < sums.dim; ++j) largest = fmax(largest, logit(j));
        for (int j = 0; j < sums.dim; ++j) sum += exp(logit(j) - largest);
        float* const to = sums.attention + item * sums.dim;
        for (int j = 0; j < sums.dim; ++j) to[j] = static_cast<float>(exp(logit(j) - largest) / sum);
    }
    [[nodiscard]] static __device__ double norm(double square) { return fmax(sqrt(square), 1e-12); }
};

/// Weight (column o, channel c of v) = Σᵢ projection[o][i] · attention[i][c], over the head's channels i.
template <Precision operands>
struct Combine {
    SpectralSums sums;
    float const* projection;
    std::byte* matrices;
    WeightLayout<operands> layout;

    __device__ void operator()(std::int64_t item) const {
        Quotient const line = divide(item, layout.extent.padded_columns());
        Quotient const picture = divide(line.whole, layout.extent.padded_depth());
        auto const column = static_cast<int>(line.rest), c = static_cast<int>(picture.rest);
        double sum = 0;
        if (column < sums.channels && c < sums.channels) {
            int const head = c / sums.dim * sums.dim;
            float const* const attention = sums.attention + (picture.whole * sums.channels + head) * sums.dim;
            for (int i = 0; i < sums.dim; ++i) {
                sum += static_cast<double>(projection[column * sums.channels + head + i]) *
                       static_cast<double>(attention[i * sums.dim + c - head]);
            }
        }
        layout.put(matrices + picture.whole * layout.extent.bytes(), column, c, static_cast<float>(sum));
    }
    [[nodiscard]] std::int64_t items() const {
        return sums.pictures * layout.extent.padded_columns() * layout.extent.padded_depth();
    }
};

}  // namespace

void SpectralSums::add(void* stream, Matrix const& q, Matrix const& k, std::int64_t pixels, std::int64_t n,
                       bool is_first) const {
    std::int64_t const count = std::clamp<std::int64_t>(divide_up(pixels, 8 * kPixelsAtOnce), 1, kMostParts);
    Slice const slice{q, k, pixels, divide_up(pixels, count), static_cast<int>(divide_up(dim, kSide))};
    start(stream, products_kernel, count * heads * slice.tiles * slice.tiles, kThreads, *this, slice);
    for_each(stream, per_picture(), AddParts{*this, n, count, is_first});
}

template <Precision operands>
void SpectralSums::make_matrices(void* stream, float const* rescale, float const* projection,
                                 std::byte* matrices) const {
    for_each(stream, pictures * channels, Attend{*this, rescale});
    Combine<operands> const combine{*this, projection, matrices, {channels, channels}};
    for_each(stream, combine.items(), combine);
}

template void SpectralSums::make_matrices<Precision::tf32>(void*, float const*, float const*, std::byte*) const;
template void SpectralSums::make_matrices<Precision::fp32>(void*, float const*, float const*, std::byte*) const;

}  // namespace vitrum::cuda
