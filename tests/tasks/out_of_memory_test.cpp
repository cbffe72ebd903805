// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>

#include "fake_engine.h"
#include "networks.h"
#include "tasks/memory.h"
#include "vitrum/error.h"
#include "vitrum/restore.h"

namespace vitrum {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kLimitsWork = false;  // its shadow memory alone is beyond any limit on the address space
#else
constexpr bool kLimitsWork = true;
#endif

/// Lets this process map only so many bytes more.
void allow_only(std::uint64_t more_bytes) {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlim_t const limit = pages * 4096 + more_bytes;
    rlimit const both{limit, limit};
    if (setrlimit(RLIMIT_AS, &both) != 0) std::abort();
}

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// Whole, this picture takes about 80 MiB beside its result; a quarter of it about 20.
Image large_picture() {
    return Image(1024, 1024, 3, SampleType::u8);
}

/// Restores with little memory and ends the process: 0 with the result there, else the error's exit code.
[[noreturn]] void restore_and_exit(std::uint64_t more_bytes, RestoreOptions const& options, bool expect_retries) {
    Session session(make_engine({.scale = 2}));
    Image const picture = large_picture();
    allow_only(more_bytes);
    try {
        RestoreReport const report = restore(session, picture, options);
        bool const as_expected = (report.retries > 0) == expect_retries && (report.tiles > 1) == expect_retries;
        std::_Exit(as_expected ? 0 : 9);
    } catch (Error const& error) {
        std::_Exit(static_cast<int>(error.kind()));
    }
}

TEST(OutOfMemory, EnoughMemoryNeedsNoTiles) {
    EXPECT_EXIT(restore_and_exit(1024 * kMiB, {}, false), testing::ExitedWithCode(0), "");
}

TEST(OutOfMemory, SmallerTilesAreTakenUntilTheyFit) {
    if (!kLimitsWork) GTEST_SKIP();
    EXPECT_EXIT(restore_and_exit(60 * kMiB, {}, true), testing::ExitedWithCode(0), "");
}

TEST(OutOfMemory, WithoutLeaveToTileItIsAnError) {
    if (!kLimitsWork) GTEST_SKIP();
    EXPECT_EXIT(restore_and_exit(60 * kMiB, {.tile = 0}, true), testing::ExitedWithCode(4), "");
}

TEST(OutOfMemory, AResultThatDoesNotFitIsAnError) {
    if (!kLimitsWork) GTEST_SKIP();
    EXPECT_EXIT(restore_and_exit(4 * kMiB, {}, true), testing::ExitedWithCode(4), "");
}

TEST(OutOfMemory, AMemoryLimitMakesTiles) {
    Session session(make_engine({.scale = 2}));
    Image const picture = large_picture();
    std::uint64_t const limit = resident_memory() + 60 * kMiB;
    RestoreReport const report = restore(session, picture, {.memory_bytes = limit});
    EXPECT_GT(report.tiles, 1);
    EXPECT_EQ(report.retries, 0);
    EXPECT_LE(resident_memory(), limit);
}

TEST(OutOfMemory, AMemoryLimitBelowTheSmallestTileIsAnError) {
    Session session(make_engine({.scale = 2}));
    try {
        static_cast<void>(restore(session, large_picture(), {.memory_bytes = kMiB}));
        FAIL();
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
        EXPECT_NE(std::string(error.what()).find("--memory"), std::string::npos) << error.what();
    }
}

TEST(OutOfMemory, ADevicesMemoryDecidesHowLargeTilesAre) {
    test::FakeLog log;
    log.memory_limit = 30 * kMiB;
    Session session(test::on_fake_device(make_engine({.scale = 2}), log));
    RestoreReport const report = restore(session, large_picture(), {});
    EXPECT_GT(report.tiles, 1);
    EXPECT_EQ(report.retries, 0);
}

TEST(OutOfMemory, AGpuThatOthersFillIsToldFromAFullMachine) {
    test::FakeLog log;
    log.memory_limit = kMiB / 16;
    Session session(test::on_fake_device(make_engine({.scale = 2}), log));
    try {
        static_cast<void>(restore(session, large_picture(), {}));
        FAIL();
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
        std::string const text = error.what();
        EXPECT_NE(text.find("MiB of the GPU's memory are left"), std::string::npos) << text;
        EXPECT_NE(text.find("end what else uses the GPU"), std::string::npos) << text;
    }
}

TEST(OutOfMemory, TilesLeaveRoomForRunningThemAgain) {
    test::FakeLog log;
    log.memory_limit = 50 * kMiB;
    log.rounds = true;
    log.more_workspace[Precision::tf32] = 30 * kMiB;
    Session session(test::on_fake_device(make_engine({.value_range = 1e5}), log, Precision::fp16));
    Image picture = large_picture();
    std::ranges::fill(picture.colour_bytes(), std::byte{255});
    RestoreReport const report = restore(session, picture, {});
    EXPECT_EQ(report.reruns.in_tf32, report.tiles);
    EXPECT_EQ(report.retries, 0);
}

TEST(OutOfMemory, ADeviceThatRefusesMemoryGetsSmallerTiles) {
    test::FakeLog log;
    log.memory_limit = 30 * kMiB;
    log.hides_limit = true;
    Session session(test::on_fake_device(make_engine({.scale = 2}), log));
    RestoreReport const report = restore(session, large_picture(), {});
    EXPECT_GT(report.tiles, 1);
    EXPECT_GT(report.retries, 0);
}

}  // namespace
}  // namespace vitrum
