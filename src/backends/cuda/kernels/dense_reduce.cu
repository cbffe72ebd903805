// SPDX-License-Identifier: Apache-2.0
// What makes one number, or one line, of a line of numbers: a thread per line. Sums are float64.
#include "dense.cuh"

namespace vitrum::cuda {
namespace {

using dense::ReduceFunction;

template <class C>
[[nodiscard]] __device__ C first_value(ReduceFunction function) {
    using Limits = std::numeric_limits<C>;
    constexpr bool kInfinite = Limits::has_infinity;
    if (function == ReduceFunction::product) return 1;
    if (function == ReduceFunction::maximum) return kInfinite ? -Limits::infinity() : Limits::min();
    if (function == ReduceFunction::minimum) return kInfinite ? Limits::infinity() : Limits::max();
    return 0;
}

/// Integers wrap around.
template <class C>
[[nodiscard]] __device__ C accumulated(ReduceFunction function, C result, C x) {
    using Wide = std::conditional_t<std::is_same_v<C, double>, double, std::uint64_t>;
    auto const a = static_cast<Wide>(result), b = static_cast<Wide>(x);
    switch (function) {
        case ReduceFunction::sum:
        case ReduceFunction::mean: return static_cast<C>(a + b);
        case ReduceFunction::sum_absolute: return static_cast<C>(x < 0 ? a - b : a + b);
        case ReduceFunction::sum_square: return static_cast<C>(a + b * b);
        case ReduceFunction::product: return static_cast<C>(a * b);
        case ReduceFunction::maximum: return x > result || x != x ? x : result;
        case ReduceFunction::minimum: return x < result || x != x ? x : result;
    }
    return result;
}

constexpr int kThreads = 256;

/// f over the values of all threads, in one order; the same result for every thread.
template <class C, class F>
__device__ C over_block(C value, C* shared, F const& f) {
    int const thread = static_cast<int>(threadIdx.x);
    __syncthreads();
    shared[thread] = value;
    for (int half = kThreads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) shared[thread] = f(shared[thread], shared[thread + half]);
    }
    __syncthreads();
    return shared[0];
}
__device__ double block_sum(double value, double* shared) {
    return over_block(value, shared, [](double a, double b) { return a + b; });
}

/// Whether a line is worth a block of threads instead of one.
bool is_long(std::int64_t length) {
    return length >= kThreads;
}

template <class C>
struct ReduceElement {
    Tensor x, y;
    Walk<1> keep, over;
    ReduceFunction function;

    /// Of numbers first, first + step, … of output i.
    [[nodiscard]] __device__ C part(std::int64_t i, std::int64_t first, std::int64_t step) const {
        std::int64_t const from = keep.offset(i);
        C result = first_value<C>(function);
        for (std::int64_t j = first; j < over.count; j += step) {
            result = accumulated(function, result, x.load<C>(from + over.offset(j)));
        }
        return result;
    }
    __device__ void finish(std::int64_t i, C result) const {
        if (function == ReduceFunction::mean) {
            result = over.count == 0 ? std::numeric_limits<C>::quiet_NaN() : result / static_cast<C>(over.count);
        }
        y.store(i, result);
    }
    __device__ void operator()(std::int64_t i) const { finish(i, part(i, 0, 1)); }
};

template <class C>
__global__ void __launch_bounds__(kThreads) reduce_kernel(ReduceElement<C> reduce) {
    __shared__ C shared[kThreads];
    auto const i = static_cast<std::int64_t>(blockIdx.x);
    using F = ReduceFunction;
    bool const is_sum = reduce.function == F::sum_absolute || reduce.function == F::sum_square;
    F const join = is_sum ? F::sum : reduce.function;
    C const own = reduce.part(i, static_cast<std::int64_t>(threadIdx.x), kThreads);
    C const result = over_block(own, shared, [&](C a, C b) { return accumulated(join, a, b); });
    if (threadIdx.x == 0) reduce.finish(i, result);
}

template <class C>
struct ArgReduceLine {
    Tensor x;
    std::int64_t* y;
    Lines lines;
    bool smallest, last;

    __device__ void operator()(std::int64_t line) const {
        C best{};
        std::int64_t place = 0;
        for (std::int64_t i = 0; i < lines.length; ++i) {
            C const value = x.load<C>(lines.begin(line) + i * lines.inner);
            bool const better = smallest ? value < best : value > best;
            if (i != 0 && !better && !(last && value == best)) continue;
            best = value;
            place = i;
        }
        y[line] = place;
    }
};

template <class C>
struct CumulateLine {
    Tensor x, y;
    Lines lines;
    ReduceFunction function;
    bool exclusive, reverse;

    __device__ void operator()(std::int64_t line) const {
        C total = first_value<C>(function);
        for (std::int64_t step = 0; step < lines.length; ++step) {
            std::int64_t const i = reverse ? lines.length - 1 - step : step;
            std::int64_t const element = lines.begin(line) + i * lines.inner;
            C const value = x.load<C>(element);
            if (exclusive) y.store(element, total);
            total = accumulated(function, total, value);
            if (!exclusive) y.store(element, total);
        }
    }
};

struct SoftmaxLine {
    float const* x;
    float* y;
    Lines lines;
    bool log;

    [[nodiscard]] __device__ float largest(std::int64_t begin, std::int64_t first, std::int64_t step) const {
        float most = -INFINITY;
        for (std::int64_t i = first; i < lines.length; i += step) most = fmaxf(most, x[begin + i * lines.inner]);
        return most;
    }
    /// What is subtracted: a line of −∞ alone gives NaN as the quotient does.
    [[nodiscard]] static __device__ float held_finite(float most) { return most == -INFINITY ? 0.0F : most; }

    [[nodiscard]] __device__ double sum(std::int64_t begin, std::int64_t first, std::int64_t step, float most) const {
        double total = 0;
        for (std::int64_t i = first; i < lines.length; i += step) {
            total += static_cast<double>(expf(x[begin + i * lines.inner] - most));
        }
        return total;
    }
    __device__ void finish(std::int64_t begin, std::int64_t first, std::int64_t step, float most, double total) const {
        double const logarithm = ::log(total);
        for (std::int64_t i = first; i < lines.length; i += step) {
            float const own = x[begin + i * lines.inner];
            y[begin + i * lines.inner] =
                log ? static_cast<float>(static_cast<double>(own) - static_cast<double>(most) - logarithm)
                    : static_cast<float>(static_cast<double>(expf(own - most)) / total);
        }
    }
    __device__ void operator()(std::int64_t line) const {
        std::int64_t const begin = lines.begin(line);
        float const most = held_finite(largest(begin, 0, 1));
        finish(begin, 0, 1, most, sum(begin, 0, 1, most));
    }
};

__global__ void __launch_bounds__(kThreads) softmax_kernel(SoftmaxLine softmax) {
    __shared__ float most_of[kThreads];
    __shared__ double sum_of[kThreads];
    std::int64_t const begin = softmax.lines.begin(static_cast<std::int64_t>(blockIdx.x));
    auto const first = static_cast<std::int64_t>(threadIdx.x);
    float const own = softmax.largest(begin, first, kThreads);
    float const most = SoftmaxLine::held_finite(over_block(own, most_of, [](float a, float b) { return fmaxf(a, b); }));
    double const total = block_sum(softmax.sum(begin, first, kThreads, most), sum_of);
    softmax.finish(begin, first, kThreads, most, total);
}

/// A block per line: lines may be whole pictures.
__global__ void __launch_bounds__(kThreads)
    normalise_kernel(float const* x, float* y, std::int64_t length, double epsilon, bool rms) {
    __shared__ double shared[kThreads];
    float const* const from = x + static_cast<std::int64_t>(blockIdx.x) * length;
    float* const to = y + static_cast<std::int64_t>(blockIdx.x) * length;
    double sum = 0, squares = 0;
    for (std::int64_t i = threadIdx.x; i < length && !rms; i += kThreads) sum += static_cast<double>(from[i]);
    double const mean = block_sum(sum, shared) / static_cast<double>(length);
    for (std::int64_t i = threadIdx.x; i < length; i += kThreads) {
        double const d = static_cast<double>(from[i]) - mean;
        squares += d * d;
    }
    double const scale = 1 / sqrt(block_sum(squares, shared) / static_cast<double>(length) + epsilon);
    for (std::int64_t i = threadIdx.x; i < length; i += kThreads) {
        to[i] = static_cast<float>((static_cast<double>(from[i]) - mean) * scale);
    }
}

/// Each pass finds the best number behind the one before it, so that nothing has to be kept.
template <class C>
struct TopKLine {
    Tensor x, values;
    std::int64_t* indices;
    Lines lines;
    std::int64_t k;
    bool largest;

    [[nodiscard]] __device__ bool comes_first(C a, std::int64_t i, C b, std::int64_t j) const {
        if (a != b) return largest ? a > b : a < b;
        return i < j;
    }
    __device__ void operator()(std::int64_t line) const {
        Quotient const at = divide(line, lines.inner);
        std::int64_t const to = at.whole * k * lines.inner + at.rest;
        C before{};
        std::int64_t place_before = -1;
        for (std::int64_t rank = 0; rank < k; ++rank) {
            C best{};
            std::int64_t place = -1;
            for (std::int64_t i = 0; i < lines.length; ++i) {
                C const value = x.load<C>(lines.begin(line) + i * lines.inner);
                bool const is_left = rank == 0 || comes_first(before, place_before, value, i);
                if (!is_left || (place >= 0 && !comes_first(value, i, best, place))) continue;
                best = value;
                place = i;
            }
            place = place < 0 ? 0 : place;  // NaN alone
            values.store(to + rank * lines.inner, best);
            indices[to + rank * lines.inner] = place;
            before = best;
            place_before = place;
        }
    }
};

std::int64_t* integers(TensorView const& view) {
    return reinterpret_cast<std::int64_t*>(view.data);
}

}  // namespace

void run(dense::Reduce const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    Shape const strides = x.shape.contiguous_strides();
    Walk<1> keep, over;
    for (int i = 0; i < x.shape.rank(); ++i) ((op.axes >> i & 1) != 0 ? over : keep).append(x.shape[i], {strides[i]});
    with_sum_type(x.dtype, [&]<class C>(C) {
        ReduceElement<C> const reduce{Tensor(x), Tensor(y), keep, over, op.function};
        std::int64_t const count = y.shape.count();
        if (is_long(over.count)) start(launch.stream, reduce_kernel<C>, count, kThreads, reduce);
        else for_each(launch.stream, count, reduce);
    });
}

void run(dense::ArgReduce const& op, Launch const& launch) {
    TensorView const& x = launch.inputs[0];
    Lines const lines(x.shape, op.axis);
    with_sum_type(x.dtype, [&]<class C>(C) {
        ArgReduceLine<C> const reduce{Tensor(x), integers(launch.outputs[0]), lines, op.smallest, op.last};
        for_each(launch.stream, lines.count(), reduce);
    });
}

void run(dense::Cumulate const& op, Launch const& launch) {
    TensorView const &x = launch.inputs[0], &y = launch.outputs[0];
    Lines const lines(x.shape, op.axis);
    auto const function = op.product ? ReduceFunction::product : ReduceFunction::sum;
    with_sum_type(x.dtype, [&]<class C>(C) {
        CumulateLine<C> const cumulate{Tensor(x), Tensor(y), lines, function, op.exclusive, op.reverse};
        for_each(launch.stream, lines.count(), cumulate);
    });
}

void run(dense::Softmax const& op, Launch const& launch) {
    Lines const lines(launch.inputs[0].shape, op.axis);
    SoftmaxLine const softmax{floats(launch.inputs[0]), reinterpret_cast<float*>(launch.outputs[0].data), lines,
                              op.log};
    if (is_long(lines.length)) start(launch.stream, softmax_kernel, lines.count(), kThreads, softmax);
    else for_each(launch.stream, lines.count(), softmax);
}

void run(dense::Normalise const& op, Launch const& launch) {
    TensorView const& x = launch.inputs[0];
    std::int64_t const length = product(x.shape, op.axis, x.shape.rank());
    if (length == 0) return;
    start(launch.stream, normalise_kernel, x.shape.count() / length, kThreads, floats(x),
          reinterpret_cast<float*>(launch.outputs[0].data), length, static_cast<double>(op.epsilon), op.rms);
}

void run(dense::TopK const& op, Launch const& launch) {
    TensorView const& x = launch.inputs[0];
    Lines const lines(x.shape, op.axis);
    with_sum_type(x.dtype, [&]<class C>(C) {
        TopKLine<C> const top{Tensor(x), Tensor(launch.outputs[0]), integers(launch.outputs[1]), lines, op.k,
                              op.largest};
        for_each(launch.stream, lines.count(), top);
    });
}

}  // namespace vitrum::cuda
