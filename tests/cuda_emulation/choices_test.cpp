// SPDX-License-Identifier: Apache-2.0
// How work is cut for the device: pure functions.
#include "choices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "operands.h"

namespace vitrum::cuda {
namespace {

TEST(CudaChoices, TheMagicDividesEveryRowOfADepth) {
    for (std::uint32_t channels = 4; channels <= 4096; channels += 4) {
        std::uint64_t const magic = division_magic(channels);
        for (std::uint32_t tap = 0; tap <= 49; ++tap) {
            EXPECT_EQ(tap * channels * magic >> 32, tap) << channels;
            EXPECT_EQ((tap * channels + channels - 1) * magic >> 32, tap) << channels;
        }
    }
}

TEST(CudaChoices, EveryOperandOfAWeightHasAPlaceOfItsOwn) {
    for (auto const precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
        for (OperandExtent const& extent : {operand_extent(precision, 70, 50), patch_extent(precision, 31, 20)}) {
            std::vector<std::int64_t> places;
            for (std::int64_t column = 0; column < extent.padded_columns(); ++column) {
                for (std::int64_t k = 0; k < extent.padded_depth(); ++k) {
                    for (int part = 0; part < operand_parts(precision); ++part) {
                        places.push_back(extent.place(column, k, part));
                    }
                }
            }
            std::ranges::sort(places);
            EXPECT_EQ(std::ranges::adjacent_find(places), places.end());
            EXPECT_EQ(places.front(), 0);
            EXPECT_EQ(places.back() + 1, extent.bytes() / 4 * operands_per_register(precision));
            EXPECT_EQ(places.back() + 1, static_cast<std::int64_t>(places.size()));
        }
    }
}

TEST(CudaChoices, BlocksOfTensorCoresWasteFewColumns) {
    EXPECT_EQ(tensor_columns(60), 64);
    EXPECT_EQ(tensor_columns(180), 192);
    EXPECT_EQ(tensor_columns(256), 64);
    EXPECT_EQ(tensor_columns(180 * 3), 192);
    EXPECT_EQ(patch_columns(Precision::tf32, 3), 16);
    EXPECT_EQ(patch_columns(Precision::tf32, 31), 32);
    EXPECT_EQ(patch_columns(Precision::tf32, 48), 64);
    EXPECT_EQ(patch_columns(Precision::tf32, 180), 96);
    EXPECT_EQ(patch_columns(Precision::tf32, 256), 64);
    EXPECT_EQ(patch_columns(Precision::fp32, 180), 64);
}

TEST(CudaChoices, BandsCoverEachRowOnceWithTheirHalo) {
    for (std::int64_t const h : {1, 7, 720, 5000}) {
        Bands const bands = Bands::choose(3, h, 1280, 2, 2000);
        EXPECT_LE(bands.most_pixels() * 2000, chunk_bytes + bands.pictures * 4 * 1280 * 2000);
        std::int64_t next = 0;
        for (std::int64_t i = 0; i < bands.count(); ++i) {
            Band const band = bands[i];
            EXPECT_EQ(band.first_picture * h + band.first_row, next);
            next += band.pictures > 1 ? band.pictures * h : band.rows;
            EXPECT_GE(band.first_read, 0);
            EXPECT_LE(band.first_read + band.read_rows, h);
            EXPECT_LE(band.pictures * band.read_rows * 1280, bands.most_pixels());
            EXPECT_TRUE(band.first_read == 0 || band.first_row - band.first_read == 2);
        }
        EXPECT_EQ(next, 3 * h);
    }
}

TEST(CudaChoices, ABandIsAMultipleOfItsStep) {
    Bands const bands = Bands::choose(1, 4096, 4096, 8, 2000, 16);
    EXPECT_TRUE(bands.is_cut());
    EXPECT_EQ(bands.rows % 16, 0);
}

TEST(CudaChoices, AtLeastOneItemFits) {
    EXPECT_EQ(items_at_once(10, chunk_bytes * 2), 1);
    EXPECT_EQ(items_at_once(10, 1), 10);
    EXPECT_EQ(items_at_once(0, 1), 1);
}

}  // namespace
}  // namespace vitrum::cuda
