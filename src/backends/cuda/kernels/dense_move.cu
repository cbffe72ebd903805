// SPDX-License-Identifier: Apache-2.0
// What moves numbers and, but for Scatter, never looks at them: only their size matters.
#include "dense.cuh"

namespace vitrum::cuda {
namespace {

template <class Body>
void with_size(DType type, Body const& body) {
    switch (size_of(type)) {
        case 1: return body(std::uint8_t{});
        case 2: return body(std::uint16_t{});
        case 4: return body(std::uint32_t{});
        default: return body(std::uint64_t{});
    }
}

template <class T>
T* elements(TensorView const& view) {
    return reinterpret_cast<T*>(view.data);
}

template <class T>
struct RestrideElement {
    T const* from;
    T* to;
    Walk<1> walk;

    __device__ void operator()(std::int64_t i) const { to[i] = from[walk.offset(i)]; }
};

template <class T>
struct PadElement {
    T const *from, *filler;
    T* to;
    dense::PadMode mode;
    Extents x, strides, y, before;

    /// The element of x that a position before, in or behind it repeats; −1: none.
    [[nodiscard]] __device__ std::int64_t source(std::int64_t position, std::int64_t extent) const {
        if (position >= 0 && position < extent) return position;
        if (mode == dense::PadMode::constant) return -1;
        if (mode == dense::PadMode::edge) return position < 0 ? 0 : extent - 1;
        if (mode == dense::PadMode::wrap) return (position % extent + extent) % extent;
        if (extent == 1) return 0;
        std::int64_t const period = 2 * (extent - 1);
        std::int64_t const within = (position % period + period) % period;
        return within < extent ? within : period - within;
    }
    __device__ void operator()(std::int64_t i) const {
        std::int64_t offset = 0, rest = i;
        for (int d = y.rank - 1; d >= 0; --d) {
            Quotient const at = divide(rest, y[d]);
            rest = at.whole;
            std::int64_t const own = source(at.rest - before[d], x[d]);
            if (own < 0) {
                to[i] = *filler;
                return;
            }
            offset += own * strides[d];
        }
        to[i] = from[offset];
    }
};

/// Rows of `part` numbers into rows of `row`.
template <class T>
struct CopyPart {
    T const* from;
    T* to;
    std::int64_t part, row;

    __device__ void operator()(std::int64_t i) const {
        Quotient const at = divide(i, part);
        to[at.whole * row + at.rest] = from[i];
    }
};

/// Index tensors and where they lead in x.
struct Indices {
    std::int64_t const* data;
    Extents shape;       ///< of the indices
    Extents x, strides;  ///< of what they lead into
    int axis;
    std::int64_t width;  ///< of a tuple

    Indices(TensorView const& view, TensorView const& into, int axis_)
        : data(reinterpret_cast<std::int64_t const*>(view.data)),
          shape(view.shape),
          x(into.shape),
          strides(into.shape.contiguous_strides()),
          axis(axis_),
          width(view.shape.rank() == 0 ? 1 : view.shape[view.shape.rank() - 1]) {}

    /// Where a tuple leads, in dimensions from `from` on.
    [[nodiscard]] __device__ std::int64_t tuple(std::int64_t index, int from) const {
        std::int64_t offset = 0;
        for (int i = 0; i < static_cast<int>(width); ++i) {
            offset += held(data[index * width + i], x[from + i]) * strides[from + i];
        }
        return offset;
    }
    /// Where element i of a tensor of the indices' shape lies, its index along the axis replaced.
    [[nodiscard]] __device__ std::int64_t element(std::int64_t i) const {
        std::int64_t offset = 0, rest = i;
        for (int d = x.rank - 1; d >= 0; --d) {
            Quotient const at = divide(rest, shape[d]);
            rest = at.whole;
            offset += (d == axis ? held(data[i], x[d]) : at.rest) * strides[d];
        }
        return offset;
    }
};

template <class T>
struct GatherElement {
    T const* from;
    T* to;
    Indices indices;
    dense::IndexMode mode;
    std::int64_t inner, picture, per_picture;  ///< numbers behind an index; of x, and indices, before the axis

    __device__ void operator()(std::int64_t i) const {
        if (mode == dense::IndexMode::elements) {
            to[i] = from[indices.element(i)];
            return;
        }
        Quotient const at = divide(i, inner);
        Quotient const own = divide(at.whole, per_picture);
        std::int64_t const offset = mode == dense::IndexMode::axis
                                        ? held(indices.data[own.rest], indices.x[indices.axis]) * inner
                                        : indices.tuple(at.whole, indices.axis);
        to[i] = from[own.whole * picture + offset + at.rest];
    }
};

template <class C>
__device__ void combine(dense::Combine how, Tensor const& y, std::int64_t to, Tensor const& updates,
                        std::int64_t from) {
    C const old = y.load<C>(to), update = updates.load<C>(from);
    switch (how) {
        case dense::Combine::replace: return y.store(to, update);
        case dense::Combine::add: return y.store(to, old + update);
        case dense::Combine::multiply: return y.store(to, old * update);
        case dense::Combine::maximum: return y.store(to, old < update ? update : old);
        case dense::Combine::minimum: return y.store(to, update < old ? update : old);
    }
}

/// Indices may repeat, so that updates which may meet are one thread's, in their order: those of a line along the
/// axis, or of one place behind the tuples.
template <class C>
struct ScatterLine {
    Tensor y, updates;
    Indices indices;
    dense::Combine how;
    std::int64_t count, inner;  ///< updates of a thread; from one to the next
    bool is_tuples;

    __device__ void operator()(std::int64_t line) const {
        Quotient const at = divide(line, inner);
        for (std::int64_t i = 0; i < count; ++i) {
            std::int64_t const update = is_tuples ? i * inner + line : (at.whole * count + i) * inner + at.rest;
            std::int64_t const to = is_tuples ? indices.tuple(i, 0) + line : indices.element(update);
            combine<C>(how, y, to, updates, update);
        }
    }
};

}  // namespace

void run(dense::Restride const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    Walk<1> walk;
    for (int i = 0; i < y.shape.rank(); ++i) walk.append(y.shape[i], {op.strides[i]});
    with_size(x.dtype, [&]<class T>(T) {
        for_each(launch.stream, y.shape.count(), RestrideElement<T>{elements<T>(x) + op.offset, elements<T>(y), walk});
    });
}

void run(dense::Pad const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    with_size(x.dtype, [&]<class T>(T) {
        PadElement<T> const pad{
            elements<T>(x),   elements<T>(launch.inputs[1]),         elements<T>(y),   op.mode,
            Extents(x.shape), Extents(x.shape.contiguous_strides()), Extents(y.shape), Extents(op.before)};
        for_each(launch.stream, y.shape.count(), pad);
    });
}

void run(dense::Concat const& op, Launch const& launch) {
    TensorView const& y = launch.outputs[0];
    std::int64_t const row = product(y.shape, op.axis, y.shape.rank());
    with_size(y.dtype, [&]<class T>(T) {
        std::int64_t begin = 0;
        for (TensorView const& x : launch.inputs) {
            std::int64_t const part = product(x.shape, op.axis, x.shape.rank());
            for_each(launch.stream, x.shape.count(), CopyPart<T>{elements<T>(x), elements<T>(y) + begin, part, row});
            begin += part;
        }
    });
}

void run(dense::Gather const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &indices = launch.inputs[1], &y = launch.outputs[0];
    if (y.shape.count() == 0) return;
    int const rank = x.shape.rank();
    Indices const own(indices, x, op.axis);
    bool const is_tuples = op.mode == dense::IndexMode::tuples;
    std::int64_t const inner = product(x.shape, op.axis + (is_tuples ? static_cast<int>(own.width) : 1), rank);
    std::int64_t const per_picture =
        is_tuples ? product(indices.shape, op.axis, indices.shape.rank() - 1) : indices.shape.count();
    with_size(x.dtype, [&]<class T>(T) {
        GatherElement<T> const gather{
            elements<T>(x), elements<T>(y), own, op.mode, inner, product(x.shape, op.axis, rank), per_picture};
        for_each(launch.stream, y.shape.count(), gather);
    });
}

void run(dense::Scatter const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &indices = launch.inputs[1], &updates = launch.inputs[2];
    TensorView const& y = launch.outputs[0];
    if (y.shape.count() == 0) return;
    with_size(x.dtype, [&]<class T>(T) {
        std::int64_t const count = x.shape.count();
        for_each(launch.stream, count, CopyPart<T>{elements<T>(x), elements<T>(y), count, count});
    });
    if (updates.shape.count() == 0) return;
    bool const is_tuples = op.mode != dense::IndexMode::elements;
    Indices const own(indices, y, is_tuples ? 0 : op.axis);
    std::int64_t const inner =
        is_tuples ? product(y.shape, static_cast<int>(own.width), y.shape.rank()) : Lines(updates.shape, op.axis).inner;
    std::int64_t const count = is_tuples ? product(indices.shape, 0, indices.shape.rank() - 1) : updates.shape[op.axis];
    with_sum_type(y.dtype, [&]<class C>(C) {
        ScatterLine<C> const scatter{Tensor(y), Tensor(updates), own, op.combine, count, inner, is_tuples};
        for_each(launch.stream, updates.shape.count() / count, scatter);
    });
}

}  // namespace vitrum::cuda
