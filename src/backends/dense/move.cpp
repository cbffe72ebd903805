// SPDX-License-Identifier: Apache-2.0
// What moves numbers and never looks at them: only their size matters.
#include "elements.h"
#include "run.h"

namespace vitrum::dense {
namespace {

/// Calls body with an integer of the element's size.
template <class Body>
void with_size(DType type, Body const& body) {
    switch (size_of(type)) {
        case 1: return body(std::uint8_t{});
        case 2: return body(std::uint16_t{});
        case 4: return body(std::uint32_t{});
        default: return body(std::uint64_t{});
    }
}

/// The element of x that a position before, in or behind it repeats; −1: none.
std::int64_t source(PadMode mode, std::int64_t position, std::int64_t extent) {
    if (position >= 0 && position < extent) return position;
    switch (mode) {
        case PadMode::constant: return -1;
        case PadMode::edge: return position < 0 ? 0 : extent - 1;
        case PadMode::wrap: return (position % extent + extent) % extent;
        case PadMode::reflect: break;
    }
    if (extent == 1) return 0;
    std::int64_t const period = 2 * (extent - 1);
    std::int64_t const within = (position % period + period) % period;
    return within < extent ? within : period - within;
}

/// An index as the caller counts it: negative ones from the end. What leaves the tensor is held inside, since a
/// kernel cannot fail.
std::int64_t held(std::int64_t index, std::int64_t extent) {
    return std::clamp<std::int64_t>(index < 0 ? index + extent : index, 0, extent - 1);
}

std::int64_t product(Shape const& shape, int from, int to) {
    std::int64_t total = 1;
    for (int i = from; i < to; ++i) total *= shape[i];
    return total;
}

std::int64_t const* indices_of(TensorView const& view) {
    return reinterpret_cast<std::int64_t const*>(view.data);
}

/// Where a tuple of indices leads in x, whose dimensions from `from` on it counts.
std::int64_t tuple_offset(std::int64_t const* tuple, std::int64_t width, TensorView const& x, int from) {
    std::int64_t offset = 0;
    for (std::int64_t i = 0; i < width; ++i) {
        int const axis = from + static_cast<int>(i);
        offset += held(tuple[i], x.shape[axis]) * x.strides[axis];
    }
    return offset;
}

/// Where element i of a tensor of the indices' shape lies in x, with its index along the axis replaced.
std::int64_t element_offset(std::int64_t i, TensorView const& indices, TensorView const& x, int axis) {
    std::int64_t offset = 0;
    std::int64_t rest = i;
    for (int d = x.shape.rank() - 1; d >= 0; --d) {
        std::int64_t const own = rest % indices.shape[d];
        rest /= indices.shape[d];
        offset += (d == axis ? held(indices_of(indices)[i], x.shape[d]) : own) * x.strides[d];
    }
    return offset;
}

}  // namespace

void run(Restride const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    if (x.data == y.data) return;  // a reshape, of what nobody reads later
    Loop<1> const loop(y.shape, {op.strides});
    std::int64_t const stride = loop.inner_stride(0);
    with_size(x.dtype, [&]<class T>(T) {
        auto const* const from = reinterpret_cast<T const*>(x.data) + op.offset;
        auto* const to = reinterpret_cast<T*>(y.data);
        loop.run(*launch.threads, [&](std::int64_t first, std::int64_t count, std::array<std::int64_t, 1> const& at) {
            if (stride == 1) return std::copy_n(from + at[0], count, to + first), void();
            for (std::int64_t i = 0; i < count; ++i) to[first + i] = from[at[0] + i * stride];
        });
    });
}

void run(Pad const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    int const last = y.shape.rank() - 1;
    with_size(x.dtype, [&]<class T>(T) {
        T const filler = *reinterpret_cast<T const*>(launch.inputs[1].data);
        auto const* const from = reinterpret_cast<T const*>(x.data);
        auto* const to = reinterpret_cast<T*>(y.data);
        if (last < 0) return void(*to = *from);
        std::int64_t const row_size = y.shape[last];
        launch.threads->parallel_for(product(y.shape, 0, last), [&](std::int64_t row, int) {
            std::int64_t offset = 0;
            std::int64_t rest = row;
            bool is_outside = false;
            for (int d = last - 1; d >= 0; --d) {
                std::int64_t const i = source(op.mode, rest % y.shape[d] - op.before[d], x.shape[d]);
                rest /= y.shape[d];
                is_outside = is_outside || i < 0;
                offset += i * x.strides[d];
            }
            for (std::int64_t j = 0; j < row_size; ++j) {
                std::int64_t const i = source(op.mode, j - op.before[last], x.shape[last]);
                to[row * row_size + j] = is_outside || i < 0 ? filler : from[offset + i];
            }
        });
    });
}

void run(Concat const& op, Launch const& launch, Precision) {
    TensorView const& y = launch.outputs[0];
    auto const size = static_cast<std::int64_t>(size_of(y.dtype));
    int const rank = y.shape.rank();
    std::int64_t const row = product(y.shape, op.axis, rank) * size;
    std::int64_t begin = 0;
    for (TensorView const& x : launch.inputs) {
        std::int64_t const part = product(x.shape, op.axis, rank) * size;
        if (part != 0) {
            launch.threads->parallel_for(product(y.shape, 0, op.axis), [&](std::int64_t i, int) {
                std::memcpy(y.data + i * row + begin, x.data + i * part, static_cast<std::size_t>(part));
            });
        }
        begin += part;
    }
}

void run(Gather const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &indices = launch.inputs[1], &y = launch.outputs[0];
    auto const size = static_cast<std::int64_t>(size_of(y.dtype));
    int const rank = x.shape.rank();
    if (y.shape.count() == 0) return;
    if (op.mode == IndexMode::elements) {
        launch.threads->parallel_for(y.shape.count(), [&](std::int64_t i, int) {
            std::memcpy(at(y, i), at(x, element_offset(i, indices, x, op.axis)), static_cast<std::size_t>(size));
        });
        return;
    }
    if (op.mode == IndexMode::axis) {
        std::int64_t const count = indices.shape.count();
        std::int64_t const inner = product(x.shape, op.axis + 1, rank);
        launch.threads->parallel_for(product(x.shape, 0, op.axis) * count, [&](std::int64_t i, int) {
            std::int64_t const index = held(indices_of(indices)[i % count], x.shape[op.axis]);
            std::byte const* const from = at(x, (i / count * x.shape[op.axis] + index) * inner);
            std::memcpy(at(y, i * inner), from, static_cast<std::size_t>(inner * size));
        });
        return;
    }
    std::int64_t const width = indices.shape[indices.shape.rank() - 1];
    std::int64_t const inner = product(x.shape, op.axis + static_cast<int>(width), rank);
    std::int64_t const shared = product(x.shape, 0, op.axis);
    std::int64_t const tuples = product(indices.shape, op.axis, indices.shape.rank() - 1);
    launch.threads->parallel_for(shared * tuples, [&](std::int64_t i, int) {
        std::int64_t const picture = i / tuples * product(x.shape, op.axis, rank);
        std::int64_t const from = picture + tuple_offset(indices_of(indices) + i * width, width, x, op.axis);
        std::memcpy(at(y, i * inner), at(x, from), static_cast<std::size_t>(inner * size));
    });
}

template <class C>
static C combined(Combine how, C old, C update) {
    switch (how) {
        case Combine::replace: return update;
        case Combine::add: return old + update;
        case Combine::multiply: return old * update;
        case Combine::maximum: return std::max(old, update);
        case Combine::minimum: return std::min(old, update);
    }
    return update;
}

static void combine(Combine how, TensorView const& y, std::int64_t to, TensorView const& updates, std::int64_t from) {
    auto const one = [&]<class C>(C) {
        C old, update;
        load(at(y, to), y.dtype, 1, 1, &old);
        load(at(updates, from), y.dtype, 1, 1, &update);
        C const result = combined(how, old, update);
        store(&result, 1, y.dtype, at(y, to));
    };
    is_floating(y.dtype) ? one(double{}) : one(std::int64_t{});
}

/// One thread: indices may repeat.
void run(Scatter const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &indices = launch.inputs[1], &updates = launch.inputs[2];
    TensorView const& y = launch.outputs[0];
    if (y.shape.count() == 0) return;
    std::memcpy(y.data, x.data, static_cast<std::size_t>(x.shape.count()) * size_of(x.dtype));
    if (op.mode == IndexMode::elements) {
        for (std::int64_t i = 0; i < updates.shape.count(); ++i) {
            combine(op.combine, y, element_offset(i, indices, y, op.axis), updates, i);
        }
        return;
    }
    std::int64_t const width = indices.shape[indices.shape.rank() - 1];
    std::int64_t const inner = product(y.shape, static_cast<int>(width), y.shape.rank());
    for (std::int64_t i = 0; i < product(indices.shape, 0, indices.shape.rank() - 1); ++i) {
        std::int64_t const to = tuple_offset(indices_of(indices) + i * width, width, y, 0);
        for (std::int64_t j = 0; j < inner; ++j) combine(op.combine, y, to + j, updates, i * inner + j);
    }
}

}  // namespace vitrum::dense
