// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/run_lengths.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace vitrum {
namespace {

TEST(RunLengths, AreThoseOfPycocotools) {
    std::ifstream file(std::filesystem::path(VITRUM_TEST_DATA) / "segment/run_lengths.json");
    nlohmann::json const cases = nlohmann::json::parse(file);
    ASSERT_EQ(cases.size(), 6U);
    for (auto const& c : cases) {
        auto const runs = c.at("runs").get<std::vector<std::uint32_t>>();
        EXPECT_EQ(coco_counts(runs), c.at("counts").get<std::string>());
        EXPECT_EQ(area_of(runs), c.at("area").get<std::int64_t>());
        Box const box = box_of(runs, c.at("size").at(0));
        EXPECT_EQ((std::vector<std::int64_t>{box.x, box.y, box.width, box.height}),
                  c.at("bbox").get<std::vector<std::int64_t>>());
    }
}

TEST(RunLengths, BandsJoinedAreTheWhole) {
    RunBuilder whole, left, right;
    std::vector<bool> const pixels = {true, true, false, true, true, true, false, false};
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        whole.add(pixels[i]);
        (i < 5 ? left : right).add(pixels[i]);
    }
    RunBuilder joined;
    joined.append(left.finish());
    joined.append(right.finish());
    std::vector<std::uint32_t> const runs = joined.finish();
    EXPECT_EQ(runs, whole.finish());
    EXPECT_EQ(runs, (std::vector<std::uint32_t>{0, 2, 1, 3, 2}));
}

TEST(RunLengths, StretchesStayWithinTheirColumn) {
    // Two columns of three pixels; the mask is the lower part of the first and the upper of the second.
    std::vector<std::vector<std::int64_t>> stretches;
    for_each_stretch(std::vector<std::uint32_t>{1, 3, 2}, 3, [&](std::int64_t x, std::int64_t begin, std::int64_t end) {
        stretches.push_back({x, begin, end});
    });
    EXPECT_EQ(stretches, (std::vector<std::vector<std::int64_t>>{{0, 1, 3}, {1, 0, 1}}));
}

}  // namespace
}  // namespace vitrum
