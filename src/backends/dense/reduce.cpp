// SPDX-License-Identifier: Apache-2.0
// What makes one number, or one line, of a line of numbers.
#include <cmath>
#include <numeric>

#include "elements.h"
#include "run.h"

namespace vitrum::dense {
namespace {

template <class C>
constexpr C kLowest = std::numeric_limits<C>::has_infinity ? -std::numeric_limits<C>::infinity()
                                                           : std::numeric_limits<C>::min();
template <class C>
constexpr C kHighest = std::numeric_limits<C>::has_infinity ? std::numeric_limits<C>::infinity()
                                                            : std::numeric_limits<C>::max();

template <class C>
C first_value(ReduceFunction function) {
    if (function == ReduceFunction::product) return 1;
    if (function == ReduceFunction::maximum) return kLowest<C>;
    return function == ReduceFunction::minimum ? kHighest<C> : 0;
}

/// Integers wrap around.
template <class C>
void accumulate(ReduceFunction function, C const* x, std::int64_t n, C& result) {
    using F = ReduceFunction;
    using Wide = std::conditional_t<std::is_same_v<C, double>, double, std::uint64_t>;
    auto sum = static_cast<Wide>(result);
    switch (function) {
        case F::sum:
        case F::mean:
            for (std::int64_t i = 0; i < n; ++i) sum += static_cast<Wide>(x[i]);
            break;
        case F::sum_absolute:
            for (std::int64_t i = 0; i < n; ++i) sum += x[i] < 0 ? -static_cast<Wide>(x[i]) : static_cast<Wide>(x[i]);
            break;
        case F::sum_square:
            for (std::int64_t i = 0; i < n; ++i) sum += static_cast<Wide>(x[i]) * static_cast<Wide>(x[i]);
            break;
        case F::product:
            for (std::int64_t i = 0; i < n; ++i) sum *= static_cast<Wide>(x[i]);
            break;
        case F::maximum:
            for (std::int64_t i = 0; i < n; ++i) result = x[i] > result || is_nan(x[i]) ? x[i] : result;
            return;
        case F::minimum:
            for (std::int64_t i = 0; i < n; ++i) result = x[i] < result || is_nan(x[i]) ? x[i] : result;
            return;
    }
    result = static_cast<C>(sum);
}

/// The dimensions that an operator keeps or goes over, with the strides of x.
struct Walk {
    std::array<std::int64_t, Shape::kMaxRank> extents{}, strides{};
    int rank = 0;
    std::int64_t count = 1;

    void append(std::int64_t extent, std::int64_t stride) {
        count *= extent;
        if (extent == 1) return;
        auto const last = static_cast<std::size_t>(rank - 1);
        if (rank > 0 && strides[last] == stride * extent) {
            extents[last] *= extent;
            strides[last] = stride;
            return;
        }
        extents[static_cast<std::size_t>(rank)] = extent;
        strides[static_cast<std::size_t>(rank++)] = stride;
    }
    [[nodiscard]] std::int64_t offset(std::int64_t index, int dimensions) const {
        std::int64_t offset = 0;
        for (int i = dimensions - 1; i >= 0; --i) {
            auto const d = static_cast<std::size_t>(i);
            offset += index % extents[d] * strides[d];
            index /= extents[d];
        }
        return offset;
    }
};

template <class C>
C reduced(Reduce const& op, TensorView const& x, std::int64_t from, Walk const& over) {
    C result = first_value<C>(op.function);
    bool const flat = over.rank == 0;
    auto const last = static_cast<std::size_t>(flat ? 0 : over.rank - 1);
    std::int64_t const inner = flat ? over.count : over.extents[last];  // one number, or none
    std::int64_t const stride = flat ? 1 : over.strides[last];
    for (std::int64_t row = 0; inner > 0 && row < over.count / inner; ++row) {
        std::int64_t const begin = from + over.offset(row, over.rank - 1);
        for (std::int64_t i = 0; i < inner; i += kRun) {
            C numbers[kRun];
            std::int64_t const count = std::min(kRun, inner - i);
            load(at(x, begin + i * stride), x.dtype, stride, count, numbers);
            accumulate(op.function, numbers, count, result);
        }
    }
    if (op.function != ReduceFunction::mean) return result;
    return over.count == 0 ? std::numeric_limits<C>::quiet_NaN() : result / static_cast<C>(over.count);
}

template <class C, class Body>
void for_each_line(TensorView const& x, int axis, Launch const& launch, Body const& body) {
    Lines const lines(x.shape, axis);
    launch.threads->parallel_for(lines.count(), [&](std::int64_t line, int worker) { body(lines, line, worker); });
}

template <class Body>
void with_sum_type(DType type, Body const& body) {
    is_floating(type) ? body(double{}) : body(std::int64_t{});
}

}  // namespace

void run(Reduce const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    Walk keep, over;
    for (int i = 0; i < x.shape.rank(); ++i) {
        ((op.axes >> i & 1) != 0 ? over : keep).append(x.shape[i], x.strides[i]);
    }
    with_sum_type(x.dtype, [&]<class C>(C) {
        launch.threads->parallel_for(y.shape.count(), [&](std::int64_t i, int) {
            C const result = reduced<C>(op, x, keep.offset(i, keep.rank), over);
            store(&result, 1, y.dtype, at(y, i));
        });
    });
}

void run(ArgReduce const& op, Launch const& launch, Precision) {
    TensorView const& x = launch.inputs[0];
    auto* const y = reinterpret_cast<std::int64_t*>(launch.outputs[0].data);
    with_sum_type(x.dtype, [&]<class C>(C) {
        for_each_line<C>(x, op.axis, launch, [&](Lines const& lines, std::int64_t line, int) {
            C best{};
            std::int64_t place = 0;
            for (std::int64_t i = 0; i < lines.length; ++i) {
                C value;
                load(at(x, lines.begin(line) + i * lines.inner), x.dtype, 1, 1, &value);
                bool const better = op.smallest ? value < best : value > best;
                if (i != 0 && !better && !(op.last && value == best)) continue;
                best = value;
                place = i;
            }
            y[line] = place;
        });
    });
}

void run(Cumulate const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    auto const function = op.product ? ReduceFunction::product : ReduceFunction::sum;
    with_sum_type(x.dtype, [&]<class C>(C) {
        for_each_line<C>(x, op.axis, launch, [&](Lines const& lines, std::int64_t line, int) {
            C total = first_value<C>(function);
            for (std::int64_t step = 0; step < lines.length; ++step) {
                std::int64_t const i = op.reverse ? lines.length - 1 - step : step;
                std::int64_t const element = lines.begin(line) + i * lines.inner;
                C value;
                load(at(x, element), x.dtype, 1, 1, &value);
                if (op.exclusive) store(&total, 1, y.dtype, at(y, element));
                accumulate(function, &value, 1, total);
                if (!op.exclusive) store(&total, 1, y.dtype, at(y, element));
            }
        });
    });
}

/// exp in the type that the precision asks for, sums in float64.
template <class C>
static void softmax_line(Softmax const& op, Lines const& lines, float const* x, float* y) {
    float largest = -std::numeric_limits<float>::infinity();
    for (std::int64_t i = 0; i < lines.length; ++i) largest = std::max(largest, x[i * lines.inner]);
    if (std::isinf(largest)) largest = largest > 0 ? largest : 0;  // a line of −∞ alone gives NaN as the quotient does
    double sum = 0;
    for (std::int64_t i = 0; i < lines.length; ++i) {
        C const value = std::exp(static_cast<C>(x[i * lines.inner]) - static_cast<C>(largest));
        sum += static_cast<double>(value);
        if (!op.log) y[i * lines.inner] = static_cast<float>(value);
    }
    double const logarithm = std::log(sum);
    for (std::int64_t i = 0; i < lines.length; ++i) {
        auto const n = i * lines.inner;
        if (op.log) y[n] = static_cast<float>(static_cast<double>(x[n]) - static_cast<double>(largest) - logarithm);
        else if constexpr (std::is_same_v<C, double>)
            y[n] = static_cast<float>(std::exp(static_cast<double>(x[n]) - static_cast<double>(largest)) / sum);
        else y[n] *= static_cast<float>(1 / sum);
    }
}

void run(Softmax const& op, Launch const& launch, Precision precision) {
    TensorView const& x = launch.inputs[0];
    auto const* const from = reinterpret_cast<float const*>(x.data);
    auto* const to = reinterpret_cast<float*>(launch.outputs[0].data);
    for_each_line<float>(x, op.axis, launch, [&](Lines const& lines, std::int64_t line, int) {
        std::int64_t const begin = lines.begin(line);
        if (precision == Precision::exact) softmax_line<double>(op, lines, from + begin, to + begin);
        else softmax_line<float>(op, lines, from + begin, to + begin);
    });
}

void run(Normalise const& op, Launch const& launch, Precision) {
    TensorView const& x = launch.inputs[0];
    std::int64_t length = 1;
    for (int i = op.axis; i < x.shape.rank(); ++i) length *= x.shape[i];
    if (length == 0) return;
    auto const* const all = reinterpret_cast<float const*>(x.data);
    auto* const result = reinterpret_cast<float*>(launch.outputs[0].data);
    launch.threads->parallel_for(x.shape.count() / length, [&](std::int64_t line, int) {
        float const* const from = all + line * length;
        float* const to = result + line * length;
        double const count = static_cast<double>(length);
        double const mean = op.rms ? 0 : std::accumulate(from, from + length, 0.0) / count;
        double squares = 0;
        for (std::int64_t i = 0; i < length; ++i) squares += (from[i] - mean) * (from[i] - mean);
        double const scale = 1 / std::sqrt(squares / count + static_cast<double>(op.epsilon));
        for (std::int64_t i = 0; i < length; ++i) to[i] = static_cast<float>((from[i] - mean) * scale);
    });
}

// ---- TopK

std::size_t workspace_bytes(TopK const& op, Problem const& problem, int threads) {
    return static_cast<std::size_t>(problem.inputs[0][op.axis]) * sizeof(std::int64_t) *
           static_cast<std::size_t>(threads);
}

void run(TopK const& op, Launch const& launch, Precision) {
    TensorView const &x = launch.inputs[0], &values = launch.outputs[0];
    auto* const indices = reinterpret_cast<std::int64_t*>(launch.outputs[1].data);
    with_sum_type(x.dtype, [&]<class C>(C) {
        for_each_line<C>(x, op.axis, launch, [&](Lines const& lines, std::int64_t line, int worker) {
            auto* const order = reinterpret_cast<std::int64_t*>(launch.workspace) + worker * lines.length;
            auto const value = [&](std::int64_t i) {
                C number;
                load(at(x, lines.begin(line) + i * lines.inner), x.dtype, 1, 1, &number);
                return number;
            };
            std::iota(order, order + lines.length, std::int64_t{0});
            std::partial_sort(order, order + op.k, order + lines.length, [&](std::int64_t i, std::int64_t j) {
                C const a = value(i), b = value(j);
                if (a != b) return op.largest ? a > b : a < b;
                return i < j;
            });
            std::int64_t const begin = line / lines.inner * op.k * lines.inner + line % lines.inner;
            for (std::int64_t i = 0; i < op.k; ++i) {
                C const number = value(order[i]);
                store(&number, 1, values.dtype, at(values, begin + i * lines.inner));
                indices[begin + i * lines.inner] = order[i];
            }
        });
    });
}

}  // namespace vitrum::dense
