// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "vitrum/engine.h"
#include "vitrum/restore.h"

namespace vitrum {

/// How far one output lies from what was expected, on raw network values.
struct TensorComparison {
    std::string name;
    std::int64_t count = 0, non_finite = 0;
    double absolute_mean = 0, absolute_median = 0, absolute_max = 0;
    double relative_mean = 0, relative_median = 0, relative_max = 0;  ///< |y − ŷ| / max(|y|, 1e-12)
    double normalised = 0;  ///< max|y − ŷ| / std(y): the number that the limit is about
    double psnr_db = 0;     ///< peak = the network's value range
};

/// How far `actual` lies from as many expected values, of a network whose pixels are 0 … value_range: every figure over
/// the finite values of `actual`; the others are counted.
[[nodiscard]] VITRUM_API TensorComparison compare_tensors(std::string name, std::span<float const> expected,
                                                          std::span<float const> actual, double value_range);

struct GoldenReport {
    std::vector<TensorComparison> outputs;
    double float32_noise = 0;  ///< how far float32 itself is off, as the file says; 0: unknown
    double tolerance = 0;
    bool passed = false;
};

/// What the normalised error of random networks may be in a precision: 1e-4, 5e-3 (tf32), 3e-2 (fp16), 2e-1 (bf16).
[[nodiscard]] VITRUM_API double error_limit(Precision precision);

/// Feeds the tensors named `input*` of a safetensors file (float32 NCHW, raw network values) and compares with
/// `output*`. tolerance 0: max(error_limit(the engine's precision), 16 × the file's `float32_noise`).
[[nodiscard]] VITRUM_API GoldenReport verify_golden(Session& session, std::filesystem::path const& file,
                                                    double tolerance = 0);

struct AgainstReport {
    std::vector<TensorComparison> outputs;
    std::vector<TensorComparison> layers;  ///< one per operator in the order of the graph, where asked for
    double tolerance = 0;
    bool passed = false;
};

/// Runs the same network on the reference backend, whose scalar kernels define every operator, and compares the
/// outputs for noise of these sizes, and every operator's output on the way where `layers` is set: the first line
/// with a large error is where the two part. The reference is slow: small sizes. tolerance 0: error_limit().
[[nodiscard]] VITRUM_API AgainstReport verify_against_reference(Session& session, Sizes const& sizes, bool layers,
                                                                double tolerance = 0);

/// What one operator reads on made-up pictures, in fp32.
struct OperatorRange {
    std::string op, provenance;
    double largest = 0;  ///< magnitude; fp16 ends at 65504, beyond which the sum of a product is lost
    double small_share =
        0;  ///< of the numbers that are not 0, those below fp16's smallest normal, which lose bits there
};

/// How a network fares in a less exact precision, beside fp32 on the same device and pictures.
struct PrecisionTrial {
    Precision precision = Precision::fp32;
    double error = 0, error_limit = 0;  ///< the worst normalised error of an output
    std::string quality = {};           ///< what else is held against a limit: "PSNR dB", "MRAE", "IoU"; "" for nothing
    double quality_value = 0, quality_limit = 0;
    std::string why_not = {};  ///< empty: all limits are kept
    struct Layer {
        std::string kernel;
        double error = 0;  ///< normalised, of all operators up to this one
    };
    std::vector<Layer> layers = {};  ///< one per PrecisionChoice::operators
};

struct PrecisionChoice {
    Precision precision = Precision::fp32;
    Sizes sizes;  ///< of the made-up pictures
    std::vector<OperatorRange> operators;
    std::vector<PrecisionTrial> trials;  ///< the fastest first; the last one tried is chosen, or else fp32
};

/// Finds the fastest precision that is exact enough for a network: runs two made-up pictures in fp32 and in the less
/// exact ones of its device, fp16 before tf32, and takes the first whose error is at most half of error_limit(), and
/// whose pictures, spectra or masks are twice as close to those of fp32 as that precision's limit asks for. Takes a
/// second or less on a GPU.
[[nodiscard]] VITRUM_API PrecisionChoice choose_precision(Engine const& engine);

/// What `--precision auto` stands for: an engine file in the precision that it was compiled for; on a GPU the one of
/// choose_precision(); fp32 on other devices, and for networks of tensors that are no pictures.
[[nodiscard]] VITRUM_API Engine in_automatic_precision(Engine const& engine);

/// Infinity where two pictures are the same. Of grey pictures all three are measured on the grey values.
struct PictureQuality {
    double psnr_y_db = 0;  ///< luma (BT.601, float, unrounded); `scale` pixels cut off at every edge
    double psnr_rgb_db = 0;
    double ssim_y = 0;  ///< Wang et al. 2004, 11×11 Gaussian window, σ = 1.5
};

struct PictureComparison {
    std::string name;  ///< of the reference
    PictureQuality restored;
    PictureQuality bicubic;  ///< of bicubic interpolation; of the degraded picture itself at scale 1
};

struct QualityReport {
    std::vector<PictureComparison> pictures;
    PictureQuality mean, bicubic_mean;
};

/// Compares two pictures of one size; samples are clamped and rounded to 8 bits first. Throws Error where
/// the sizes differ, or where less than the SSIM window is left inside the border.
[[nodiscard]] VITRUM_API PictureQuality compare_pictures(Image const& picture, Image const& reference, int border);

/// Restores every picture of a folder and compares it with its ground truth: pairs by name, `babyx4.png`
/// with `baby.png`. Results are clamped and rounded to 8 bits as published figures are, and a reference
/// that is up to scale − 1 pixels larger than the result is cut at the right and the bottom.
[[nodiscard]] VITRUM_API QualityReport verify_images(Session& session, std::filesystem::path const& degraded,
                                                     std::filesystem::path const& reference,
                                                     RestoreOptions const& options = {});

struct BenchOptions {
    double warm_up_seconds = 0.2;
    double duration_seconds = 3.0;  ///< at least; at least `iterations` runs too
    int iterations = 10;
    Progress progress = nullptr;
};

struct BenchResult {
    Sizes sizes;
    int runs = 0;
    double first_ms = 0;  ///< the first call at this size: program, packing and memory included
    double min_ms = 0, mean_ms = 0, p50_ms = 0, p90_ms = 0, p99_ms = 0, max_ms = 0;  ///< of whole runs
    double compute_ms = 0;  ///< the median on the device alone: on GPUs without copies to and from it, else p50_ms
    double pictures_per_second = 0, megapixels_per_second = 0, gflops_per_second = 0;
    std::size_t arena_bytes = 0, peak_resident_bytes = 0;
};

[[nodiscard]] VITRUM_API BenchResult benchmark(Session& session, Sizes const& sizes, BenchOptions const& options = {});
/// A diagram, as SVG or PNG by the extension: milliseconds per picture over the input's size, a line for each batch
/// with a band from the fastest run to the slowest but a tenth. At least one result. Throws Error: any other
/// extension, what keeps a file from being written.
VITRUM_API void save_bench_plot(std::span<BenchResult const> results, std::filesystem::path const& path);

/// What this machine can do at most, as measured: the roof that a profile is held against.
struct Roofline {
    double flops_per_second = 0;  ///< float32 multiply-adds in registers, a multiply-add counted as two
    double bytes_per_second = 0;  ///< reading memory that no cache holds
};
/// Takes a fifth of a second.
[[nodiscard]] VITRUM_API Roofline measure_roofline(int threads);
/// The least time that an operator can take under that roof, as a share of what it took: 0 … 1, and above
/// 1 where its data came from a cache.
[[nodiscard]] VITRUM_API double share_of_roofline(OpProfile const& op, Roofline const& roof);

/// What this machine offers and what was built in, as lines of "name: value" for people and machines.
struct MachineFact {
    std::string name, value;
};
[[nodiscard]] VITRUM_API std::vector<MachineFact> doctor();

/// What is free of the engine's device's own memory; 0 on CPUs, which share the machine's.
[[nodiscard]] VITRUM_API std::uint64_t device_free_bytes(Engine const& engine);

/// The highest resident size of this process so far.
[[nodiscard]] VITRUM_API std::size_t peak_resident_bytes();

}  // namespace vitrum
