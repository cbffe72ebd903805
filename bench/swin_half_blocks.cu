// SPDX-License-Identifier: Apache-2.0
// Times the variants of the fused half-blocks of Swin layers on 65536 tokens, to choose the one that is compiled into
// the backend: bench_swin_half_blocks [SUBSTRING OF A NAME]. Errors are those of some pixels against float64, relative
// to the deviation of what is added to the residual.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string_view>
#include <vector>

#include "kernels/fused_mlp.cuh"
#include "kernels/fused_window.cuh"
#include "pack_fragments.h"

namespace vitrum::cuda {
namespace {

constexpr std::int64_t kSide = 256, kTokens = kSide * kSide;
constexpr int kPairs = 3;      // of inputs and outputs, in turns: more than the L2 cache holds at 180 channels
constexpr int kLaunches = 18;  // of one graph
std::string_view wanted;

void check(cudaError_t status) {
    if (status != cudaSuccess) fail("{}", cudaGetErrorString(status));
}

/// Device memory for the whole run.
template <class T>
T* upload(std::vector<T> const& values) {
    void* to = nullptr;
    check(cudaMalloc(&to, values.size() * sizeof(T)));
    check(cudaMemcpy(to, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
    return static_cast<T*>(to);
}

std::vector<float> draw(std::int64_t count, float mean, float deviation) {
    static std::mt19937 generator(1);
    std::normal_distribution<float> normal(mean, deviation);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = normal(generator);
    return values;
}

/// A layer's sizes, weights and pictures.
struct Layer {
    int c, heads, hidden, stride;
    std::vector<float> qkv, proj, fc1, fc2, qkv_bias, table, c_bias, hidden_bias, norm_weight, norm_bias, picture;
    float *x[kPairs], *y[kPairs];

    Layer(int c_, int heads_, int hidden_) : c(c_), heads(heads_), hidden(hidden_), stride((c_ + 7) / 8 * 8) {
        float const deviation = 1 / std::sqrt(static_cast<float>(c));
        qkv = draw(3 * c * c, 0, deviation);
        proj = draw(c * c, 0, deviation);
        fc1 = draw(hidden * c, 0, deviation);
        fc2 = draw(hidden * c, 0, deviation);
        qkv_bias = draw(3 * c, 0, 0.3F);
        table = draw(225 * heads, 0, 0.5F);
        c_bias = draw(c, 0, 0.3F);
        hidden_bias = draw(hidden, 0, 0.3F);
        norm_weight = draw(c, 1, 0.2F);
        norm_bias = draw(c, 0, 0.2F);
        picture = draw(kTokens * stride, 0.3F, 1.5F);
        for (int i = 0; i < kPairs; ++i) {
            x[i] = upload(picture);
            y[i] = upload(picture);
        }
    }
    [[nodiscard]] Pixels pixels(float* data) const {
        Pixels p;
        static_cast<Matrix&>(p) = Matrix(data, stride);
        p.n = 1;
        p.h = p.w = kSide;
        p.c = c;
        return p;
    }
};

using Row = std::vector<double>;

double deviation_of(std::vector<Row> const& rows) {
    double squares = 0, count = 0;
    for (Row const& row : rows) {
        for (double const v : row) squares += v * v, ++count;
    }
    return std::sqrt(squares / count);
}

/// What the half-blocks add to x, in float64.
class Expected {
public:
    explicit Expected(Layer const& layer) : l_(layer) {}

    [[nodiscard]] Row mlp(std::int64_t pixel) const {
        Row hidden = linear(l_.fc1, l_.hidden_bias, normalised(pixel));
        for (double& v : hidden) v = 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
        return linear(l_.fc2, l_.c_bias, hidden);
    }

    /// Of each token of a window, whether or not it lies in the picture.
    [[nodiscard]] std::vector<Row> window(Windows const& w, std::int64_t index, double scale) const {
        std::vector<Row> qkv, attended(static_cast<std::size_t>(w.tokens()));
        for (int t = 0; t < w.tokens(); ++t) {
            std::int64_t const pixel = w.pixel(index, t);
            qkv.push_back(linear(l_.qkv, l_.qkv_bias, pixel < 0 ? Row(l_.c) : normalised(pixel)));
        }
        for (std::size_t t = 0; t < attended.size(); ++t) {
            Row values;
            for (int head = 0; head < l_.heads; ++head) attend(w, index, qkv, t, head, scale, values);
            attended[t] = linear(l_.proj, l_.c_bias, values);
        }
        return attended;
    }

private:
    [[nodiscard]] Row normalised(std::int64_t pixel) const {
        float const* const x = l_.picture.data() + pixel * l_.stride;
        double mean = 0, variance = 0;
        for (int i = 0; i < l_.c; ++i) mean += x[i] / static_cast<double>(l_.c);
        for (int i = 0; i < l_.c; ++i) variance += (x[i] - mean) * (x[i] - mean) / l_.c;
        Row row;
        for (int i = 0; i < l_.c; ++i) {
            row.push_back((x[i] - mean) / std::sqrt(variance + 1e-5) * l_.norm_weight[i] + l_.norm_bias[i]);
        }
        return row;
    }
    [[nodiscard]] static Row linear(std::vector<float> const& weight, std::vector<float> const& bias, Row const& x) {
        Row y(bias.begin(), bias.end());
        for (std::size_t i = 0; i < y.size(); ++i) {
            for (std::size_t j = 0; j < x.size(); ++j) y[i] += weight[i * x.size() + j] * x[j];
        }
        return y;
    }
    void attend(Windows const& w, std::int64_t index, std::vector<Row> const& qkv, std::size_t t, int head,
                double scale, Row& to) const {
        int const dim = l_.c / l_.heads, side = 2 * w.window - 1, row_t = static_cast<int>(t) / w.window;
        Place const place(index, w.down, w.across);
        auto const region = [&](int token) {
            bool const below = place.row == w.down - 1 && token / w.window >= w.window - w.shift;
            bool const right = place.column == w.across - 1 && token % w.window >= w.window - w.shift;
            return 2 * below + right;
        };
        Row weights;
        double sum = 0;
        for (int j = 0; j < w.tokens(); ++j) {
            double logit = 0;
            for (int d = 0; d < dim; ++d) logit += qkv[t][head * dim + d] * qkv[j][l_.c + head * dim + d];
            int const offset = (row_t - j / w.window + w.window - 1) * side + static_cast<int>(t) % w.window -
                               j % w.window + w.window - 1;
            logit = logit * scale + l_.table[offset * l_.heads + head];
            if (region(static_cast<int>(t)) != region(j)) logit -= 100;
            weights.push_back(std::exp(logit));
            sum += weights.back();
        }
        for (int d = 0; d < dim; ++d) {
            double value = 0;
            for (int j = 0; j < w.tokens(); ++j) value += weights[j] * qkv[j][2 * l_.c + head * dim + d] / sum;
            to.push_back(value);
        }
    }

    Layer const& l_;
};

/// Pixels and what is to be added there.
struct Sample {
    std::vector<std::int64_t> pixels;
    std::vector<Row> rows;

    void add(std::int64_t pixel, Row row) {
        if (pixel < 0) return;
        pixels.push_back(pixel);
        rows.push_back(std::move(row));
    }
};

Sample sample_windows(Layer const& layer, Windows const& w, double scale) {
    Sample sample;
    for (std::int64_t const index : {std::int64_t{0}, w.across - 1, w.per_picture() / 2, w.per_picture() - 1}) {
        std::vector<Row> rows = Expected(layer).window(w, index, scale);
        for (int t = 0; t < w.tokens(); ++t)
            sample.add(w.pixel(index, t), std::move(rows[static_cast<std::size_t>(t)]));
    }
    return sample;
}

Sample sample_pixels(Layer const& layer) {
    Sample sample;
    for (std::int64_t pixel = 0; pixel < kTokens; pixel += 509) sample.add(pixel, Expected(layer).mlp(pixel));
    sample.add(kTokens - 1, Expected(layer).mlp(kTokens - 1));
    return sample;
}

Words const* upload_packed(Packing const& packing, std::vector<float> const& weight, Shape const& shape) {
    std::vector<std::byte> bytes(packing.bytes);
    packing.pack(weight.data(), shape, packing.key, bytes.data());
    return reinterpret_cast<Words const*>(upload(bytes));
}

/// The median over 15 replays, in µs of one launch.
template <class F>
double microseconds(F const& launch) {
    cudaStream_t stream{};
    check(cudaStreamCreate(&stream));
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < kLaunches; ++i) launch(stream, i % kPairs);
    cudaGraph_t graph{};
    check(cudaStreamEndCapture(stream, &graph));
    cudaGraphExec_t exec{};
    check(cudaGraphInstantiate(&exec, graph, 0));
    cudaEvent_t from{}, to{};
    check(cudaEventCreate(&from));
    check(cudaEventCreate(&to));
    std::vector<float> times;
    for (int i = 0; i < 18; ++i) {
        check(cudaEventRecord(from, stream));
        check(cudaGraphLaunch(exec, stream));
        check(cudaEventRecord(to, stream));
        check(cudaStreamSynchronize(stream));
        float ms = 0;
        check(cudaEventElapsedTime(&ms, from, to));
        if (i >= 3) times.push_back(ms);
    }
    std::sort(times.begin(), times.end());
    check(cudaGraphExecDestroy(exec));
    check(cudaGraphDestroy(graph));
    return times[times.size() / 2] * 1e3 / kLaunches;
}

/// Runs a variant, and prints what it takes and how far it is off.
template <class Kernel, class F>
void report(std::string const& name, Layer const& layer, Sample const& expected, Kernel* kernel, int threads,
            std::size_t bytes, F const& launch) {
    if (name.find(wanted) == std::string::npos) return;
    std::size_t const count = layer.picture.size();
    try {
        check(cudaMemset(layer.y[0], 0xFF, count * sizeof(float)));
        launch(nullptr, 0);
        check(cudaDeviceSynchronize());
    } catch (Error const& error) {
        fmt::print("{:<44} {}\n", name, error.what());
        static_cast<void>(cudaGetLastError());
        return;
    }
    std::vector<float> result(count);
    check(cudaMemcpy(result.data(), layer.y[0], count * sizeof(float), cudaMemcpyDeviceToHost));
    double worst = 0;
    for (std::size_t i = 0; i < expected.pixels.size(); ++i) {
        auto const at = static_cast<std::size_t>(expected.pixels[i] * layer.stride);
        for (std::size_t j = 0; j < expected.rows[i].size(); ++j) {
            double const error = std::abs(result[at + j] - layer.picture[at + j] - expected.rows[i][j]);
            worst = std::isnan(error) ? INFINITY : std::max(worst, error);
        }
    }
    cudaFuncAttributes attributes{};
    check(cudaFuncGetAttributes(&attributes, kernel));
    int per_processor = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_processor, kernel, threads, bytes));
    fmt::print("{:<56} {:8.2f} us  {:3} registers {:4} B spilled {:4} KiB {:2} warps per processor  error {:.1e}\n",
               name, microseconds(launch), attributes.numRegs, attributes.localSizeBytes, bytes >> 10,
               per_processor * threads / kWarp, worst / deviation_of(expected.rows));
}

template <class S>
void time_window(Layer const& layer, Sample const& expected, Windows const& windows, float scale) {
    FragmentBlocks const blocks{S::kChannelBlocks, S::kDimBlocks};
    Shape const qkv{3 * layer.c, layer.c}, proj{layer.c, layer.c};
    WindowArguments a{.x = layer.pixels(nullptr),
                      .windows = windows,
                      .count = windows.per_picture(),
                      .heads = layer.heads,
                      .dim = layer.c / layer.heads,
                      .scale = scale,
                      .epsilon = 1e-5F,
                      .norm_weight = upload(layer.norm_weight),
                      .norm_bias = upload(layer.norm_bias),
                      .qkv_bias = upload(layer.qkv_bias),
                      .bias_table = upload(layer.table),
                      .proj_bias = upload(layer.c_bias)};
    a.qkv = upload_packed(pack_qkv_fragments(0, qkv, layer.heads, blocks, S::Operand::kPrecision), layer.qkv, qkv);
    a.proj = upload_packed(pack_projection_fragments(0, proj, layer.heads, blocks, S::Operand::kPrecision), layer.proj,
                           proj);
    std::string const name =
        fmt::format("{} window {} C{} stages {} windows {} blocks {} {}", name_of(S::Operand::kPrecision),
                    windows.window, layer.c, S::kStages, S::kWindows, S::kBlocksPerSm, S::kIsEight ? "eight" : "any");
    report(name, layer, expected, fused_window_kernel<S>, S::kThreads, window_bytes<S>(a), [&](void* stream, int pair) {
        a.x = layer.pixels(layer.x[pair]);
        a.residual = a.x;
        a.y = layer.pixels(layer.y[pair]);
        start_fused_window<S>(stream, a);
    });
}

template <class S>
void time_mlp(Layer const& layer, Sample const& expected) {
    FragmentBlocks const blocks{S::kChannelBlocks, S::kHiddenBlocks};
    Shape const fc1{layer.hidden, layer.c}, fc2{layer.c, layer.hidden};
    MlpArguments a{.x = layer.pixels(nullptr),
                   .hidden = layer.hidden,
                   .epsilon = 1e-5F,
                   .norm_weight = upload(layer.norm_weight),
                   .norm_bias = upload(layer.norm_bias),
                   .fc1_bias = upload(layer.hidden_bias),
                   .fc2_bias = upload(layer.c_bias)};
    a.fc1 = upload_packed(pack_fc1_fragments(0, fc1, blocks, S::Operand::kPrecision), layer.fc1, fc1);
    a.fc2 = upload_packed(pack_fc2_fragments(0, fc2, blocks, S::Operand::kPrecision), layer.fc2, fc2);
    std::string const name = fmt::format(
        "{} mlp C{} stages {} hidden {} warps {} blocks {}{}{}", name_of(S::Operand::kPrecision), layer.c, S::kStages,
        S::kHidden, S::kWarps, S::kBlocksPerSm, S::kIsPipelined ? " pipelined" : "", S::kSharesX ? " shared x" : "");
    report(name, layer, expected, fused_mlp_kernel<S>, S::kThreads, mlp_bytes<S>(a), [&](void* stream, int pair) {
        a.x = layer.pixels(layer.x[pair]);
        a.residual = a.x;
        a.y = layer.pixels(layer.y[pair]);
        start_fused_mlp<S>(stream, a);
    });
}

template <class... S>
struct List {};

template <class... S>
void time_windows(Layer const& layer, int window, List<S...>) {
    Windows const windows(kSide, kSide, window, window / 2);
    float const scale = 1 / std::sqrt(static_cast<float>(layer.c / layer.heads));
    Sample const expected = sample_windows(layer, windows, scale);
    (time_window<S>(layer, expected, windows, scale), ...);
}
template <class... S>
void time_mlps(Layer const& layer, List<S...>) {
    Sample const expected = sample_pixels(layer);
    (time_mlp<S>(layer, expected), ...);
}

void time_tf32(Layer const& middle, Layer const& light) {
    time_windows(middle, 8, List<WindowShape<Tf32, 12, 2, 2, 2, 1, true>, WindowShape<Tf32, 12, 2, 3, 2, 1, true>>());
    time_windows(light, 8,
                 List<WindowShape<Tf32, 4, 1, 2, 2, 2, true>, WindowShape<Tf32, 4, 1, 2, 4, 1, true>,
                      WindowShape<Tf32, 4, 1, 3, 3, 1, true>, WindowShape<Tf32, 4, 1, 0, 2, 1, true>>());
    time_mlps(middle, List<MlpShape<Tf32, 12, 1, 3, 8, 1>, MlpShape<Tf32, 12, 1, 4, 8, 1, true>,
                           MlpShape<Tf32, 12, 2, 2, 8, 1>, MlpShape<Tf32, 12, 2, 2, 8, 1, false, true>,
                           MlpShape<Tf32, 12, 2, 2, 8, 1, true, true>, MlpShape<Tf32, 12, 1, 3, 12, 1, false, true>>());
    time_mlps(light, List<MlpShape<Tf32, 4, 2, 0, 8, 2>, MlpShape<Tf32, 4, 2, 0, 8, 2, true>,
                          MlpShape<Tf32, 4, 2, 3, 8, 2, true>, MlpShape<Tf32, 4, 1, 3, 8, 2, true>>());
}

void time_fp16(Layer const& middle, Layer const& light) {
    time_windows(middle, 8,
                 List<WindowShape<Fp16, 12, 2, 2, 2, 2, true>, WindowShape<Fp16, 12, 2, 3, 2, 2, true>,
                      WindowShape<Fp16, 12, 2, 3, 4, 1, true>, WindowShape<Fp16, 12, 2, 3, 3, 1, true>,
                      WindowShape<Fp16, 12, 2, 3, 2, 1, true>>());
    time_windows(light, 8,
                 List<WindowShape<Fp16, 4, 1, 0, 2, 2, true>, WindowShape<Fp16, 4, 1, 0, 4, 1, true>,
                      WindowShape<Fp16, 4, 1, 0, 5, 1, true>, WindowShape<Fp16, 4, 1, 0, 6, 1, true>>());
    time_mlps(middle, List<MlpShape<Fp16, 12, 2, 3, 8, 1>, MlpShape<Fp16, 12, 2, 3, 8, 1, true>,
                           MlpShape<Fp16, 12, 2, 2, 4, 2, true>, MlpShape<Fp16, 12, 2, 3, 12, 1, true, true>>());
    time_mlps(light, List<MlpShape<Fp16, 4, 2, 0, 8, 2>, MlpShape<Fp16, 4, 2, 0, 8, 2, true>,
                          MlpShape<Fp16, 4, 2, 0, 8, 3, true>, MlpShape<Fp16, 4, 4, 0, 8, 2, true>>());
}

/// Swin's first two stages.
void time_swin(Layer const& first, Layer const& second) {
    time_windows(first, 7,
                 List<WindowShape<Fp16, 6, 2, 2, 2, 2, false>, WindowShape<Fp16, 6, 2, 3, 4, 1, false>,
                      WindowShape<Tf32, 6, 2, 2, 2, 1, false>>());
    time_windows(second, 7, List<WindowShape<Fp16, 12, 2, 2, 2, 2, false>, WindowShape<Tf32, 12, 2, 2, 2, 1, false>>());
    time_mlps(first, List<MlpShape<Fp16, 6, 2, 3, 8, 1>, MlpShape<Fp16, 6, 2, 3, 8, 2, true>,
                          MlpShape<Fp16, 6, 2, 3, 12, 1, true>, MlpShape<Tf32, 6, 2, 3, 8, 1>>());
    time_mlps(second, List<MlpShape<Fp16, 12, 2, 3, 8, 1, true>, MlpShape<Tf32, 12, 1, 3, 8, 1>>());
}

void run() {
    Layer const middle(180, 6, 360), light(60, 6, 120), first(96, 3, 384), second(192, 6, 768);
    time_tf32(middle, light);
    time_fp16(middle, light);
    time_swin(first, second);
}

}  // namespace
}  // namespace vitrum::cuda

int main(int count, char** arguments) {
    if (count > 1) vitrum::cuda::wanted = arguments[1];
    try {
        vitrum::cuda::run();
    } catch (vitrum::Error const& error) {
        fmt::print(stderr, "bench_swin_half_blocks: {}\n", error.what());
        return 1;
    }
    return 0;
}
