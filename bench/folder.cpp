// SPDX-License-Identifier: Apache-2.0
// What `vitrum run FOLDER` reaches with made-up pictures, whose files are neither read nor written: by sessions side by
// side (lanes), for pictures of one size and of many; what first calls at a size cost; and batches. Needs no picture
// library.
#include <fmt/core.h>
#include <xxhash.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <optional>
#include <random>

#include "lanes.h"
#include "pipeline.h"
#include "vitrum/error.h"
#include "vitrum/measure.h"
#include "vitrum/restore.h"

namespace vitrum {
namespace {

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct Request {
    std::string model, device = "cuda", precision = "auto";
    std::vector<std::int64_t> size = {256, 256};
    std::vector<int> lanes = {1, 2, 3, 4};
    std::vector<std::int64_t> batches = {1, 2, 4, 8, 16};
    std::size_t pictures = 64;
};

Engine open(Request const& request, std::optional<Precision> precision) {
    DeviceName const on = device_named(request.device);
    return Engine::open(request.model, {.device = on.device, .device_index = on.index, .precision = precision});
}

Image made_up(std::int64_t height, std::int64_t width) {
    Image picture(width, height, 3, SampleType::u8);
    std::minstd_rand random(static_cast<unsigned>(height * 65537 + width));
    for (std::byte& sample : picture.colour_bytes()) sample = static_cast<std::byte>(random() >> 8);
    return picture;
}

/// As many pixels on average as one of that size, sides from a half to three halves of it.
std::vector<Image> made_up_folder(Request const& request, bool mixed) {
    std::mt19937 random(1);
    std::uniform_real_distribution<double> factor(0.5, 1.5);
    std::vector<Image> pictures;
    for (std::size_t i = 0; i < request.pictures; ++i) {
        auto const side = [&](std::int64_t length) {
            return mixed ? static_cast<std::int64_t>(static_cast<double>(length) * factor(random)) : length;
        };
        pictures.push_back(made_up(side(request.size[0]), side(request.size[1])));
    }
    return pictures;
}

double megapixels(std::vector<Image> const& pictures) {
    double sum = 0;
    for (Image const& picture : pictures) sum += static_cast<double>(picture.width() * picture.height()) * 1e-6;
    return sum;
}

struct FolderResult {
    double milliseconds = 0, restore_milliseconds = 0;  ///< of all; the sum of what each took
    std::vector<std::uint64_t> digests;                 ///< of the results
};

FolderResult run_folder(std::vector<Session>& sessions, std::vector<Image> const& pictures, std::size_t jobs) {
    FolderResult result;
    result.digests.resize(pictures.size());
    std::vector<std::optional<RestoreReport>> reports(pictures.size());
    std::vector<double> seconds(pictures.size());
    auto const read = [&](std::size_t job) {
        cli::expect_size(sessions, {1, pictures[job].height(), pictures[job].width()});
    };
    auto const compute = [&](std::size_t job, int lane) {
        reports[job] = restore(sessions[static_cast<std::size_t>(lane)], pictures[job]);
    };
    auto const write = [&](std::size_t job) {
        auto const bytes = reports[job]->image.colour_bytes();
        result.digests[job] = XXH3_64bits(bytes.data(), bytes.size());
        seconds[job] = reports[job]->compute_seconds;
        reports[job].reset();
    };
    auto const report = [](std::size_t, std::exception_ptr const& failure) {
        if (failure) std::rethrow_exception(failure);
    };
    auto const start = Clock::now();
    cli::run_pipeline(std::vector<std::uint64_t>(pictures.size(), 1), {read, compute, write, report},
                      {.readers = cli::PipelineLimits::kMostReaders,
                       .lanes = static_cast<int>(sessions.size()),
                       .writers = 2,
                       .jobs = jobs});
    result.milliseconds = milliseconds_since(start);
    for (double const s : seconds) result.restore_milliseconds += s * 1e3;
    return result;
}

/// With memory for the largest of the pictures, and one size that is none of theirs: weights and kernels are there.
std::vector<Session> sessions_of(Engine const& engine, int count, std::vector<Image> const& pictures) {
    auto const pixels = [](Image const& picture) { return picture.width() * picture.height(); };
    Image const& largest = *std::ranges::max_element(pictures, {}, pixels);
    std::vector<Session> sessions;
    for (int i = 0; i < count; ++i) {
        Session& session = sessions.emplace_back(engine);
        if (count > 1) session.prepare({1, largest.height(), largest.width()});
        session.prepare({1, 8, 8});
        std::ranges::fill(session.input(), 0.5F);
        session.run();
    }
    return sessions;
}

void time_folders(Request const& request, Engine const& engine) {
    for (bool const mixed : {false, true}) {
        std::vector<Image> const pictures = made_up_folder(request, mixed);
        double const count = static_cast<double>(pictures.size());
        std::vector<std::uint64_t> expected;
        for (int const lanes : request.lanes) {
            Engine const afresh = open(request, engine.precision());  // that knows no size yet
            std::vector<Session> sessions = sessions_of(afresh, lanes, pictures);
            FolderResult const cold = run_folder(sessions, pictures, 64);
            FolderResult const warm = run_folder(sessions, pictures, 64);
            if (expected.empty()) expected = cold.digests;
            bool const same = cold.digests == expected && warm.digests == expected;
            fmt::print(
                "{} sizes, {} lanes: first pass {:.3f} ms a picture, second {:.3f} ({:.1f} MP/s); a restore() alone "
                "{:.3f} ms{}\n",
                mixed ? "mixed" : "equal", lanes, cold.milliseconds / count, warm.milliseconds / count,
                megapixels(pictures) / warm.milliseconds * 1e3, warm.restore_milliseconds / count,
                same ? "" : "; RESULTS DIFFER");
        }
    }
}

void time_first_calls(Request const& request, Engine const& engine) {
    Session session(engine);
    for (int round = 0; round < 2; ++round) {
        for (std::int64_t const eighths : {8, 9, 7, 12, 4, 16}) {
            Sizes const sizes{1, request.size[0] * eighths / 8, request.size[1] * (eighths + 1) / 8};
            auto const start = Clock::now();
            session.prepare(sizes);
            double const prepared = milliseconds_since(start);
            std::ranges::fill(session.input(), 0.5F);
            std::string line = fmt::format("{}×{}: prepare {:.2f} ms", sizes.h, sizes.w, prepared);
            for (char const* const name : {"first run", "second", "recorded", "replayed"}) {
                auto const begin = Clock::now();
                session.run();
                line += fmt::format(", {} {:.2f}", name, milliseconds_since(begin));
            }
            fmt::print("{}\n", line);
        }
    }
}

/// What recordings of many sizes take.
void weigh_recordings(Request const& request, Engine const& engine) {
    Session session(engine);
    session.prepare({1, request.size[0] + 64, request.size[1] + 64});  // memory for all that follow
    session.run();
    std::uint64_t const free_before = device_free_bytes(engine);
    std::size_t const resident_before = peak_resident_bytes();
    constexpr std::int64_t kSizes = 40;
    for (std::int64_t i = 0; i < kSizes; ++i) {
        session.prepare({1, request.size[0] + i, request.size[1] + i});
        session.run();
        session.run();
    }
    auto const mebibytes = [](auto before, auto after) {
        return (static_cast<double>(after) - static_cast<double>(before)) / 0x1p20;
    };
    fmt::print("{} recordings of {} operators: {:.1f} MiB of the device, {:.1f} MiB of the host\n", kSizes,
               engine.explain({1, request.size[0], request.size[1]}).size(),
               mebibytes(device_free_bytes(engine), free_before), mebibytes(resident_before, peak_resident_bytes()));
}

void time_batches(Request const& request, Engine const& engine) {
    Session session(engine);
    for (std::int64_t const batch : request.batches) {
        BenchResult const r = benchmark(session, {batch, request.size[0], request.size[1]},
                                        {.warm_up_seconds = 0.05, .duration_seconds = 0.2, .iterations = 5});
        fmt::print("batch {}: {:.3f} ms, {:.3f} a picture, first {:.1f} ms, {:.1f} MiB\n", batch, r.p50_ms,
                   r.p50_ms / static_cast<double>(batch), r.first_ms, static_cast<double>(r.arena_bytes) / 0x1p20);
    }
}

void run(Request const& request) {
    auto const precision = precision_named(request.precision);
    Engine engine = open(request, precision);
    if (!precision) engine = in_automatic_precision(engine);
    fmt::print("{} {}×{} in {} on {}\n", engine.info().variant, request.size[0], request.size[1],
               name_of(engine.precision()), engine.isa());
    time_first_calls(request, engine);
    weigh_recordings(request, engine);
    time_batches(request, engine);
    time_folders(request, engine);
}

}  // namespace
}  // namespace vitrum

int main(int count, char** arguments) {
    vitrum::Request request;
    CLI::App app("Times a folder of pictures, first calls and batches.");
    app.add_option("MODEL", request.model, "a checkpoint, an ONNX or an engine file")->required();
    app.add_option("--device", request.device)->capture_default_str();
    app.add_option("--precision", request.precision)->capture_default_str();
    app.add_option("--size", request.size, "HxW")->delimiter('x')->expected(2);
    app.add_option("--lanes", request.lanes, "sessions side by side, several to compare")->capture_default_str();
    app.add_option("--batches", request.batches)->capture_default_str();
    app.add_option("--pictures", request.pictures)->capture_default_str();
    CLI11_PARSE(app, count, arguments);
    try {
        vitrum::run(request);
    } catch (vitrum::Error const& error) {
        fmt::print(stderr, "bench_folder: {}\n", error.what());
        return static_cast<int>(error.kind());
    }
    return 0;
}
