// SPDX-License-Identifier: Apache-2.0
// The first pass of SpectralAttention, and the C × C arithmetic that turns its sums into one matrix.
#if defined(VITRUM_CPU_CHANNEL_MIXER_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef VITRUM_CPU_CHANNEL_MIXER_INL
#undef VITRUM_CPU_CHANNEL_MIXER_INL
#else
#define VITRUM_CPU_CHANNEL_MIXER_INL
#endif

#include <cmath>

#include "bands.h"
#include "pack.h"
#include "simd/moments-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vitrum::cpu::HWY_NAMESPACE {

using F64 = hn::ScalableTag<double>;
using Vd = hn::Vec<F64>;
inline constexpr std::int64_t kLanes64 = hn::MaxLanes(F64());

inline constexpr std::int64_t kSpectralTokens = 64;  // whole register blocks on every target
inline constexpr std::int64_t kGroup = 4;            // rows of a C × C product that share what they read

struct SpectralShape {
    std::int64_t pictures, pixels, channels, heads, dim;
    std::int64_t padded;        ///< channels in rows of float64 matrices
    std::int64_t chunk;         ///< pixels whose S one worker sums; the same for any number of threads
    std::int64_t chunks;        ///< of a picture
    std::int64_t panel_floats;  ///< of the mixing matrix
    Bands bands;

    SpectralShape(SpectralAttention const& op, Shape const& x, int threads)
        : pictures(x[0]),
          pixels(x[1] * x[2]),
          channels(x[3]),
          heads(op.heads),
          dim(x[3] / op.heads),
          padded(round_up(x[3], 16)),
          chunk(std::min<std::int64_t>(round_up((x[0] * pixels + 31) / 32, kShortSum), 4096)),
          chunks((pixels + chunk - 1) / chunk),
          panel_floats(round_up(channels, kPanelRows) * channels),
          bands(x, 6 * channels, threads) {}
};

/// What all workers share.
struct MixerScratch {
    double* moments;    ///< [N][chunks][C][padded]: the first chunk's becomes the picture's S
    double* attention;  ///< [N][C][D]: k_i·q_j, then A
    double* q_squares;  ///< [N][C]
    double* k_squares;  ///< [N][C]
    float* mixing;      ///< [N][panels] proj · A

    MixerScratch(ScratchCarver& carver, SpectralShape const& s) {
        carver.take(moments, s.pictures * s.chunks * s.channels * s.padded);
        carver.take(attention, s.pictures * s.channels * s.dim);
        carver.take(q_squares, s.pictures * s.channels);
        carver.take(k_squares, s.pictures * s.channels);
        carver.take(mixing, s.pictures * s.panel_floats);
    }
};

struct SpectralScratch {
    float* pixels;       ///< [kShortSum][padded] pixels whose own stride is less
    double* rows;        ///< [kGroup][padded] of a C × C product
    float* x;            ///< [C][T] tokens of x, or the result
    float* guided;       ///< [C][T] v times its guide
    float* values;       ///< [3][C][stride] ring of v
    float* features;     ///< [3][C][stride] ring of gelu(pos1(v))
    float* trash;        ///< [C] where tokens beyond the band are stored
    float const** from;  ///< [T] pixels of x or of the guide
    float const** add;   ///< [T] pixels of the residual
    float** to;          ///< [T] pixels of the output

    SpectralScratch(ScratchCarver& carver, SpectralShape const& s) {
        std::int64_t const rows4 = round_up(s.channels, 4);
        carver.take(pixels, kShortSum * s.padded);
        carver.take(rows, kGroup * s.padded);
        carver.take(x, rows4 * kSpectralTokens);
        carver.take(guided, rows4 * kSpectralTokens);
        carver.take(values, RowRing::floats(3, s.channels, s.bands.columns));
        carver.take(features, RowRing::floats(3, s.channels, s.bands.columns));
        carver.take(trash, rows4);
        carver.take(from, kSpectralTokens);
        carver.take(add, kSpectralTokens);
        carver.take(to, kSpectralTokens);
    }
};

/// The C × C arithmetic between the passes.
class ChannelMixer {
public:
    ChannelMixer(Launch const& launch, SpectralShape const& shape, MixerScratch const& shared)
        : in_(launch.inputs),
          query_(reinterpret_cast<double const*>(launch.packed[1])),
          key_(reinterpret_cast<double const*>(launch.packed[2])),
          proj_(reinterpret_cast<double const*>(launch.packed[3])),
          s_(shape),
          shared_(shared) {}

    /// S of one chunk of a picture's pixels.
    void sum_chunk(std::int64_t item, SpectralScratch const& scratch) const {
        Nhwc<float> const x = nhwc(in_[SpectralAttention::kX]);
        std::int64_t const n = item / s_.chunks;
        std::int64_t const begin = item % s_.chunks * s_.chunk;
        std::int64_t const end = std::min(begin + s_.chunk, s_.pixels);
        double* const total = shared_.moments + item * s_.channels * s_.padded;
        std::fill_n(total, s_.channels * s_.padded, 0.0);
        for (std::int64_t first = begin; first < end; first += kShortSum) {
            PixelRun run{x.pixel(n, 0, 0) + first * x.stride, std::min(kShortSum, end - first), x.stride, s_.channels};
            if (x.stride < round_up(s_.channels, kLanes)) run = spread(run, scratch.pixels);
            add_moments(run, total, s_.padded);
        }
    }

    /// Row i of S from all chunks, and its mirror image.
    void gather_row(std::int64_t item) const {
        std::int64_t const i = item % s_.channels;
        double* const all = shared_.moments + item / s_.channels * s_.chunks * s_.channels * s_.padded;
        double* const row = all + i * s_.padded;
        for (std::int64_t chunk = 1; chunk < s_.chunks; ++chunk) {
            double const* const part = row + chunk * s_.channels * s_.padded;
            for (std::int64_t j = i; j < s_.channels; ++j) row[j] += part[j];
        }
        std::fill(row + s_.channels, row + s_.padded, 0.0);
        for (std::int64_t j = i + 1; j < s_.channels; ++j) all[j * s_.padded + i] = row[j];
    }

    /// |q_i|², |k_i|² and k_i·q_j of a group of rows i.
    void correlate(std::int64_t item, SpectralScratch const& scratch) const {
        std::int64_t const groups = (s_.channels + kGroup - 1) / kGroup;
        std::int64_t const n = item / groups;
        std::int64_t const first = item % groups * kGroup;
        std::int64_t const count = std::min(kGroup, s_.channels - first);
        multiply_moments(n, query_, first, count, scratch.rows);
        for (std::int64_t m = 0; m < count; ++m) {
            double const* const weight = query_ + (first + m) * s_.padded;
            shared_.q_squares[n * s_.channels + first + m] = dot(scratch.rows + m * s_.padded, weight);
        }
        multiply_moments(n, key_, first, count, scratch.rows);
        for (std::int64_t m = 0; m < count; ++m) {
            std::int64_t const i = first + m;
            double const* const row = scratch.rows + m * s_.padded;
            shared_.k_squares[n * s_.channels + i] = dot(row, key_ + i * s_.padded);
            double const* const head = query_ + i / s_.dim * s_.dim * s_.padded;
            double* const products = shared_.attention + (n * s_.channels + i) * s_.dim;
            for (std::int64_t j = 0; j < s_.dim; ++j) products[j] = dot(row, head + j * s_.padded);
        }
    }

    /// Row i of A.
    void attend(std::int64_t item) const {
        std::int64_t const n = item / s_.channels;
        std::int64_t const i = item % s_.channels;
        std::int64_t const head = i / s_.dim;
        double const* const q_squares = shared_.q_squares + n * s_.channels + head * s_.dim;
        // Rounding may leave a square a trifle below zero.
        auto const norm = [](double square) { return std::max(std::sqrt(std::max(square, 0.0)), 1e-12); };
        double const scale = floats(in_[SpectralAttention::kRescale])[head] / norm(shared_.k_squares[item]);
        double* const row = shared_.attention + item * s_.dim;
        for (std::int64_t j = 0; j < s_.dim; ++j) row[j] *= scale / norm(q_squares[j]);
        double const largest = *std::max_element(row, row + s_.dim);
        double sum = 0;
        for (std::int64_t j = 0; j < s_.dim; ++j) sum += row[j] = std::exp(row[j] - largest);
        for (std::int64_t j = 0; j < s_.dim; ++j) row[j] /= sum;
    }

    /// A panel of rows of proj · A.
    void mix(std::int64_t item, SpectralScratch const& scratch) const {
        std::int64_t const panels = (s_.channels + kPanelRows - 1) / kPanelRows;
        std::int64_t const n = item / panels;
        std::int64_t const first = item % panels * kPanelRows;
        float* const panel = shared_.mixing + n * s_.panel_floats + first * s_.channels;
        double const* const attention = shared_.attention + n * s_.channels * s_.dim;
        std::fill_n(panel, kPanelRows * s_.channels, 0.0F);
        for (std::int64_t o = first; o < std::min(first + kPanelRows, s_.channels); ++o) {
            double* const sums = scratch.rows;
            std::fill_n(sums, s_.channels, 0.0);
            for (std::int64_t i = 0; i < s_.channels; ++i) {
                double const weight = proj_[o * s_.padded + i];
                double* const head = sums + i / s_.dim * s_.dim;
                for (std::int64_t j = 0; j < s_.dim; ++j) head[j] += weight * attention[i * s_.dim + j];
            }
            for (std::int64_t k = 0; k < s_.channels; ++k) {
                panel[k * kPanelRows + o - first] = static_cast<float>(sums[k]);
            }
        }
    }

private:
    /// Pixels in memory where whole vectors may be read.
    PixelRun spread(PixelRun const& run, float* to) const {
        for (std::int64_t p = 0; p < run.count; ++p) {
            std::copy_n(run.data + p * run.stride, run.channels, to + p * s_.padded);
            std::fill_n(to + p * s_.padded + run.channels, s_.padded - run.channels, 0.0F);
        }
        return {to, run.count, s_.padded, run.channels};
    }

    /// rows[m][j] = Σ_c weight[first + m][c] · S[c][j]
    void multiply_moments(std::int64_t n, double const* weight, std::int64_t first, std::int64_t count,
                          double* rows) const {
        F64 const d;
        double const* const moments = shared_.moments + n * s_.chunks * s_.channels * s_.padded;
        double const* w[kGroup];  // the last group repeats its last row
        for (std::int64_t m = 0; m < kGroup; ++m) w[m] = weight + (first + std::min(m, count - 1)) * s_.padded;
        for (std::int64_t j = 0; j < s_.padded; j += 2 * kLanes64) {
            Vd sum[kGroup][2];
            VITRUM_UNROLL for (int m = 0; m < kGroup; ++m) sum[m][0] = sum[m][1] = hn::Zero(d);
            for (std::int64_t c = 0; c < s_.channels; ++c) {
                Vd const a = hn::LoadU(d, moments + c * s_.padded + j);
                Vd const b = hn::LoadU(d, moments + c * s_.padded + j + kLanes64);
                VITRUM_UNROLL for (int m = 0; m < kGroup; ++m) {
                    Vd const factor = hn::Set(d, w[m][c]);
                    sum[m][0] = hn::MulAdd(factor, a, sum[m][0]);
                    sum[m][1] = hn::MulAdd(factor, b, sum[m][1]);
                }
            }
            VITRUM_UNROLL for (int m = 0; m < kGroup; ++m) {
                hn::StoreU(sum[m][0], d, rows + m * s_.padded + j);
                hn::StoreU(sum[m][1], d, rows + m * s_.padded + j + kLanes64);
            }
        }
    }

    [[nodiscard]] double dot(double const* a, double const* b) const {
        F64 const d;
        Vd even = hn::Zero(d);
        Vd odd = hn::Zero(d);
        for (std::int64_t j = 0; j < s_.padded; j += 2 * kLanes64) {
            even = hn::MulAdd(hn::LoadU(d, a + j), hn::LoadU(d, b + j), even);
            odd = hn::MulAdd(hn::LoadU(d, a + j + kLanes64), hn::LoadU(d, b + j + kLanes64), odd);
        }
        return hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
    }

    std::span<TensorView const> in_;
    double const *query_, *key_, *proj_;  ///< [C][padded]
    SpectralShape const& s_;
    MixerScratch const& shared_;
};

}  // namespace vitrum::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
