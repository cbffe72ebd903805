// SPDX-License-Identifier: Apache-2.0
#include "tasks/seam_blender.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "image/convert.h"

namespace vitrum {
namespace {

BlendedSize size_of(Image const& image) {
    return {image.height(), image.width(), image.channels()};
}

RowSink sink_of(Image& image) {
    return [&image](std::int64_t x, std::int64_t y, std::int64_t count, float const* pixels) {
        return colour_from_float(pixels, image.channels(), {x, y, count, 1}, image);
    };
}

/// Tiles of `value(tile row, tile column, y, x)` at output pixel (y, x) put together.
template <class Value>
Image blend(TilePlan const& plan, int scale, Image image, Value const& value) {
    SeamBlender blender(plan, scale, 1.0F, size_of(image), sink_of(image));
    std::int64_t const height = plan.y.tile * scale, width = plan.x.tile * scale;
    std::vector<float> tile(static_cast<std::size_t>(height * width));
    for (std::int64_t iy = 0; iy < plan.y.count(); ++iy) {
        for (std::int64_t ix = 0; ix < plan.x.count(); ++ix) {
            std::int64_t const top = plan.y.origins[static_cast<std::size_t>(iy)] * scale;
            std::int64_t const left = plan.x.origins[static_cast<std::size_t>(ix)] * scale;
            for (std::int64_t i = 0; i < height * width; ++i) {
                tile[static_cast<std::size_t>(i)] = value(iy, ix, top + i / width, left + i % width);
            }
            EXPECT_EQ(blender.add(iy, ix, tile.data()), 0);
        }
    }
    return image;
}

TEST(SeamBlender, TilesThatAgreeGiveTheirPicture) {
    for (int const scale : {1, 2, 4}) {
        for (std::int64_t const overlap : {0, 8, 16, 32}) {
            TilePlan const plan = plan_tiles(150, 203, 64, overlap, 8);
            auto const at = [](std::int64_t, std::int64_t, std::int64_t y, std::int64_t x) {
                return static_cast<float>(y * 10000 + x);
            };
            Image const image = blend(plan, scale, Image(203 * scale, 150 * scale, 1, SampleType::f32), at);
            for (std::int64_t y = 0; y < image.height(); ++y) {
                for (std::int64_t x = 0; x < image.width(); ++x) {
                    float const expected = at(0, 0, y, x);
                    ASSERT_NEAR(image.row<float>(y)[x], expected, 1e-6F * expected + 1e-6F) << y << " " << x;
                }
            }
        }
    }
}

TEST(SeamBlender, TilesThatDifferFadeIntoOneAnother) {
    TilePlan const plan = plan_tiles(64, 112, 64, 16, 8);
    ASSERT_EQ(plan.x.count(), 2);
    Image const image = blend(plan, 1, Image(112, 64, 1, SampleType::f32),
                              [](std::int64_t, std::int64_t ix, auto, auto) { return static_cast<float>(ix); });
    Seam const seam = seam_after(plan.x, 0);
    float const* const row = image.row<float>(20);
    EXPECT_EQ(row[seam.begin - 1], 0.0F);
    EXPECT_EQ(row[seam.begin + seam.width], 1.0F);
    for (std::int64_t k = 0; k < seam.width; ++k) EXPECT_FLOAT_EQ(row[seam.begin + k], fade_in(k, seam.width));
}

TEST(SeamBlender, ValuesThatAreNoNumbersAreCounted) {
    TilePlan const plan = plan_tiles(16, 16, 64, 0, 8);
    Image image(16, 16, 1, SampleType::u8);
    std::vector<float> tile(16 * 16, 0.5F);
    tile[3] = std::numeric_limits<float>::quiet_NaN();
    tile[40] = std::numeric_limits<float>::infinity();
    EXPECT_EQ(SeamBlender(plan, 1, 1.0F, size_of(image), sink_of(image)).add(0, 0, tile.data()), 2);
}

}  // namespace
}  // namespace vitrum
