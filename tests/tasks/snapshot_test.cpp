// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <random>

#include "networks.h"
#include "vitrum/error.h"
#include "vitrum/spectral.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSide = 6, kBands = 28, kSpread = 54;

Measurement noise(std::vector<std::int64_t> shape) {
    Measurement m{"noise.npy", std::move(shape), {}, false};
    std::size_t count = 1;
    for (std::int64_t const extent : m.shape) count *= static_cast<std::size_t>(extent);
    std::mt19937 random(9);
    while (m.values.size() < count) m.values.push_back(static_cast<float>(random() % 1000) / 2000);
    return m;
}

ErrorKind kind_of_failure(Measurement const& snapshot, Measurement const& mask, SpectralOptions const& options = {}) {
    Session session(make_snapshot_network());
    try {
        static_cast<void>(spectral(session, snapshot, mask, options));
    } catch (Error const& error) {
        EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
        return error.kind();
    }
    ADD_FAILURE() << "spectral() threw nothing";
    return ErrorKind::failed;
}

float at(Measurement const& m, std::int64_t y, std::int64_t x) {
    return m.values[static_cast<std::size_t>(y * m.shape[1] + x)];
}

TEST(Snapshot, DetectorPictureAndPlainMaskAreMovedAsTheOriginalDoes) {
    Session session(make_snapshot_network());
    Measurement const snapshot = noise({kSide, kSide + kSpread}), mask = noise({kSide, kSide});
    SpectralReport const report = spectral(session, snapshot, mask, {.clip = false});
    EXPECT_EQ(report.cube.wavelengths().front(), 453.5);
    EXPECT_EQ(report.cube.bands(), kBands);
    for (std::int64_t y = 0; y < kSide; ++y) {
        for (std::int64_t x = 0; x < kSide; ++x) {
            for (std::int64_t b = 0; b < kBands; ++b) {
                float const moved_back = at(snapshot, y, x + 2 * b) * 2 / 28;
                float const moved_mask = x >= 2 * b ? at(mask, y, x - 2 * b) : 0;
                ASSERT_NEAR(report.cube.at(x, y)[static_cast<std::size_t>(b)], moved_back + moved_mask, 1e-6)
                    << y << " " << x << " " << b;
            }
        }
    }
}

/// The bands of a detector's picture moved back, times the original's 2 / 28.
Measurement moved_back(Measurement const& snapshot, bool bands_first) {
    Measurement m = noise(bands_first ? std::vector{kBands, kSide, kSide} : std::vector{kSide, kSide, kBands});
    for (std::int64_t b = 0; b < kBands; ++b) {
        for (std::int64_t i = 0; i < kSide * kSide; ++i) {
            auto const to = bands_first ? b * kSide * kSide + i : i * kBands + b;
            m.values[static_cast<std::size_t>(to)] = at(snapshot, i / kSide, i % kSide + 2 * b) * 2 / 28;
        }
    }
    return m;
}

Measurement moved(Measurement const& mask, bool bands_first) {
    std::int64_t const columns = kSide + kSpread;
    Measurement m = noise(bands_first ? std::vector{kBands, kSide, columns} : std::vector{kSide, columns, kBands});
    for (std::int64_t b = 0; b < kBands; ++b) {
        for (std::int64_t i = 0; i < kSide * columns; ++i) {
            std::int64_t const x = i % columns - 2 * b;
            auto const to = bands_first ? b * kSide * columns + i : i * kBands + b;
            m.values[static_cast<std::size_t>(to)] = x >= 0 && x < kSide ? at(mask, i / columns, x) : 0;
        }
    }
    return m;
}

TEST(Snapshot, EveryWayToGiveItGivesTheSameCube) {
    Session session(make_snapshot_network());
    Measurement const snapshot = noise({kSide, kSide + kSpread}), mask = noise({kSide, kSide});
    Cube const cube = spectral(session, snapshot, mask).cube;
    for (bool const bands_first : {false, true}) {
        Cube const other = spectral(session, moved_back(snapshot, bands_first), moved(mask, bands_first)).cube;
        for (std::size_t i = 0; i < cube.values().size(); ++i) ASSERT_NEAR(other.values()[i], cube.values()[i], 1e-6);
    }
}

TEST(Snapshot, IntegerPicturesAreTakenAsTheyAre) {
    Session session(make_snapshot_network());
    Measurement snapshot = noise({kSide, kSide + kSpread}), mask = noise({kSide, kSide});
    Cube const plain = spectral(session, snapshot, mask, {.normalisation = Normalisation::none}).cube;
    snapshot.full_scale = true;
    Cube const picture = spectral(session, snapshot, mask).cube;
    EXPECT_TRUE(std::ranges::equal(plain.values(), picture.values()));
}

TEST(Snapshot, ShapesThatDoNotFitAreUsageErrors) {
    Measurement const snapshot = noise({kSide, kSide + kSpread}), mask = noise({kSide, kSide});
    for (auto const& shape : std::vector<std::vector<std::int64_t>>{{kSide},
                                                                    {kSide + 1, kSide},
                                                                    {kSide, kSide + 1},
                                                                    {kSide, kSide + kSpread},
                                                                    {kSide, kSide, 27},
                                                                    {1, kSide, kSide, kBands},
                                                                    {kSide, kSide + kSpread - 2, kBands}}) {
        EXPECT_EQ(kind_of_failure(snapshot, noise(shape)), ErrorKind::usage) << shape.size() << " " << shape[0];
    }
    EXPECT_EQ(kind_of_failure(noise({kSide, kSpread}), mask), ErrorKind::usage);  // no column is left
    EXPECT_EQ(kind_of_failure(noise({kSide}), mask), ErrorKind::usage);
    Measurement broken = mask;
    broken.values.pop_back();
    EXPECT_EQ(kind_of_failure(snapshot, broken), ErrorKind::usage);
}

TEST(Snapshot, SenselessNumbersAreRefused) {
    Measurement const snapshot = noise({kSide, kSide + kSpread});
    Measurement mask = noise({kSide, kSide}), nan = snapshot;
    nan.values[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(kind_of_failure(nan, mask), ErrorKind::failed);
    EXPECT_EQ(kind_of_failure(snapshot, mask, {.tile = 64}), ErrorKind::usage);
    EXPECT_EQ(kind_of_failure(snapshot, mask, {.memory_bytes = 1}), ErrorKind::out_of_memory);
    mask.values[0] = 255;
    EXPECT_EQ(kind_of_failure(snapshot, mask), ErrorKind::usage);
    Session pictures(make_rgb_to_bands());
    EXPECT_THROW(static_cast<void>(spectral(pictures, snapshot, mask)), Error);
}

TEST(Snapshot, MeasurementsAreReadFromArraysAndGreyPictures) {
    fs::path const arrays = fs::path(VITRUM_TEST_DATA) / "arrays";
    EXPECT_EQ(load_measurement(arrays / "v73.mat").shape, (std::vector<std::int64_t>{3, 4, 2}));
    EXPECT_EQ(load_measurement(arrays / "v5_several.mat:flat").shape, (std::vector<std::int64_t>{3, 4}));
    EXPECT_THROW(static_cast<void>(load_measurement(arrays / "v5_several.mat")), Error);
    EXPECT_THROW(static_cast<void>(load_measurement(arrays / "none.npy")), Error);

    fs::path const path = fs::temp_directory_path() / ("vitrum_mask_" + std::to_string(getpid()) + ".png");
    Image mask(3, 2, 1, SampleType::u8);
    mask.row<std::uint8_t>(1)[2] = 255;
    save_image(mask, path);
    Measurement const read = load_measurement(path);
    EXPECT_EQ(read.shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(read.values.back(), 1.0F);
    EXPECT_TRUE(read.full_scale);
    save_image(Image(3, 2, 3, SampleType::u8), path);
    EXPECT_THROW(static_cast<void>(load_measurement(path)), Error);
    fs::remove(path);
}

}  // namespace
}  // namespace vitrum
