// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "../../general_kernels.h"
#include "../attention.cuh"
#include "../rows.cuh"

namespace vitrum::cuda {
namespace {

using Op = GroupWindowAttention;

/// Pictures whole, or a band with the rows above and below that its groups' shifted windows straddle. Rows of the
/// band's buffer wrap around the picture.
struct Cut {
    std::int64_t step = 1;  ///< a multiple of every window
    std::int64_t halo = 0;
    Bands bands;

    Cut(Op const& op, Shape const& x, std::int64_t bytes_per_pixel) : bands{} {
        for (int const window : op.windows) {
            step = std::lcm(step, std::int64_t{window});
            if (op.shifted) halo = std::max<std::int64_t>(halo, window - window / 2);
            if (op.shifted) halo = std::max<std::int64_t>(halo, window / 2);
        }
        bands = Bands::choose(x[0], x[1], x[2], halo, bytes_per_pixel, step);
    }
};

struct Parts {
    std::int64_t projected_stride, attended_stride;
    Cut cut;
    float *projected, *attended;
    std::size_t bytes;

    Parts(Op const& op, Shape const& x, std::int64_t projected_channels, std::byte* workspace)
        : projected_stride(padded_channels(projected_channels)),
          attended_stride(padded_channels(x[3])),
          cut(op, x, (projected_stride + attended_stride) * 4) {
        WorkspaceParts parts(workspace);
        projected = parts.take<float>(cut.bands.most_pixels() * projected_stride);
        attended = parts.take<float>(cut.bands.most_pixels() * attended_stride);
        bytes = parts.bytes();
    }
};

/// Rows of a band's buffer as pixels of the picture: row r of the buffer is row (first + r) mod h.
struct WrappedRows {
    std::int64_t first, rows;  ///< of the buffer; first may be negative
    std::int64_t h, w, first_picture;

    [[nodiscard]] __host__ __device__ std::int64_t pixel(Place const& at) const {
        std::int64_t const row = divide(first + at.row + h, h).rest;
        return ((first_picture + at.n) * h + row) * w + at.column;
    }
    [[nodiscard]] __host__ __device__ std::int64_t operator()(std::int64_t m) const { return pixel(Place(m, rows, w)); }
};

/// The windows of one group: those of the band's rows, in the buffer's rows.
struct Source {
    WrappedRows rows;
    Divisor window;
    int tokens, dim;
    std::int64_t down, across;             ///< windows of a picture's band
    std::int64_t first_row, first_column;  ///< of window 0, in the buffer; columns wrap
    Matrix projected, attended, queries;   ///< from the group's first channel on; no queries: they are in `projected`

    struct Item {
        std::int64_t n, row, column;  ///< of the window's corner in the buffer
    };
    [[nodiscard]] __device__ Item item(std::int64_t block) const {
        Place const at(block, down, across);
        return {at.n, first_row + at.row * window.by, first_column + at.column * window.by};
    }
    /// A token's pixel in the buffer.
    [[nodiscard]] __device__ std::int64_t pixel(Item const& item, int t) const {
        int const down_window = window.whole(t);
        std::int64_t row = item.row + down_window, column = item.column + t - down_window * window.by;
        if (row >= rows.rows) row -= rows.rows;
        if (column >= rows.w) column -= rows.w;
        return (item.n * rows.rows + row) * rows.w + column;
    }
    [[nodiscard]] __device__ float const* query(Item const& item, int t) const {
        std::int64_t const at = pixel(item, t);
        return queries.data == nullptr ? projected.at(at) : queries.at(rows(at));
    }
    [[nodiscard]] __device__ float const* key(Item const& item, int j) const { return query(item, j); }
    [[nodiscard]] __device__ float const* value(Item const& item, int j) const {
        return projected.at(pixel(item, j)) + (queries.data == nullptr ? dim : 0);
    }
    [[nodiscard]] __device__ float* result(Item const& item, int i) const { return attended.at(pixel(item, i)); }
    [[nodiscard]] __device__ float logit(Item const&, int, int, float dot) const { return dot; }
};

Source source_of(Op const& op, int group, Band const& band, Parts const& parts, WrappedRows const& rows,
                 Pixels const& x, Pixels const& query) {
    int const window = op.windows[static_cast<std::size_t>(group)];
    int const shift = op.shifted ? window / 2 : 0;
    std::int64_t const dim = x.c / Op::kGroups;
    bool const is_cut = parts.cut.bands.is_cut();
    // A band begins inside of a window where that is shifted: one more window above it.
    std::int64_t const above = is_cut && shift > 0 ? 1 : 0;
    std::int64_t const first_row = band.first_row - rows.first + shift - above * window;
    std::int64_t const projected_dim = query.data == nullptr ? 2 * dim : dim;
    return {.rows = rows,
            .window = Divisor(window),
            .tokens = window * window,
            .dim = static_cast<int>(dim),
            .down = band.rows / window + above,
            .across = x.w / window,
            .first_row = first_row,
            .first_column = shift,
            .projected = Matrix(parts.projected + group * projected_dim, parts.projected_stride),
            .attended = Matrix(parts.attended + group * dim, parts.attended_stride),
            .queries = query.data == nullptr ? Matrix() : Matrix(query.data + group * dim, query.stride)};
}

}  // namespace

template <Precision operands>
Support GroupWindowAttentionKernel<operands>::supports(Op const& op, Problem const& problem) {
    Support const exact = ProductKernel<Op, operands>::supports(op, problem);
    return exact.ok ? attention_support(problem.inputs[Op::kX][3] / Op::kGroups) : exact;
}

template <Precision operands>
std::size_t GroupWindowAttentionKernel<operands>::workspace_bytes(Op const& op, Problem const& problem, int) {
    return Parts(op, problem.inputs[Op::kX], problem.inputs[Op::kInWeight][0], nullptr).bytes;
}

template <Precision operands>
void GroupWindowAttentionKernel<operands>::launch(Op const& op, Launch const& launch) {
    auto const in = launch.inputs;
    Pixels const x(in[Op::kX]), y(launch.outputs[0]), residual(in[Op::kResidual]), query(in[Op::kQuery]);
    int const projected_channels = static_cast<int>(in[Op::kInWeight].shape[0]);
    Parts const parts(op, in[Op::kX].shape, projected_channels, launch.workspace);
    Matrix const projected(parts.projected, parts.projected_stride), attended(parts.attended, parts.attended_stride);
    Weight<operands> const in_weight(launch.packed[0], projected_channels, x.c), out(launch.packed[1], x.c, x.c);
    Bands const& bands = parts.cut.bands;
    std::int64_t const halo = bands.is_cut() ? parts.cut.halo : 0;
    for (std::int64_t i = 0; i < bands.count(); ++i) {
        Band const band = bands[i];
        WrappedRows const rows{band.first_row - halo, band.rows + 2 * halo, x.h, x.w, band.first_picture};
        multiply(launch.stream, band.pictures * rows.rows * x.w, RowLoad<WrappedRows>{x, x.c, {}, rows}, in_weight,
                 rows_to(projected, projected_channels, {floats(in[Op::kInBias])}));
        for (int group = 0; group < Op::kGroups; ++group) {
            Source const source = source_of(op, group, band, parts, rows, x, query);
            attend_in_windows(launch.stream, band.pictures * source.down * source.across, source);
        }
        // With a halo there is one picture, so that the band's own rows lie one behind the other.
        std::int64_t const first = (band.first_picture * x.h + band.first_row) * x.w;
        multiply(launch.stream, band.pictures * band.rows * x.w, rows_of(attended.from(halo * x.w), x.c), out,
                 rows_to(y.from(first), x.c, {floats(in[Op::kOutBias])}, residual.from(first)));
    }
}

template struct GroupWindowAttentionKernel<Precision::tf32>;
template struct GroupWindowAttentionKernel<Precision::fp32>;

}  // namespace vitrum::cuda
