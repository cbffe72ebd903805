// SPDX-License-Identifier: Apache-2.0
#include "packed_weights.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/mapped_file.h"
#include "cpu/backend.h"
#include "host_memory.h"

namespace vitrum {
namespace {

TEST(PackedWeights, HoldWhatAFileHolds) {
    auto const path = std::filesystem::path(testing::TempDir()) / "vitrum_weights";
    std::vector<float> const values{1, 2, 3};
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<char const*>(values.data()), 12);
    auto const file = std::make_shared<MappedFile const>(path);
    std::filesystem::remove(path);
    Constant const mapped{{3}, reinterpret_cast<float const*>(file->bytes().data()), file};
    Constant const owned{{3}, values.data(), nullptr};

    auto const backend = make_cpu_backend();
    Graph graph;
    ValueId const of_file = graph.add_constant("of a file", mapped), of_memory = graph.add_constant("of memory", owned);
    PackedWeights weights(memory_of(*backend), graph);
    std::byte const* const copy = weights.canonical(of_file, mapped);
    EXPECT_NE(copy, mapped.bytes());
    EXPECT_EQ(weights.canonical(of_file, mapped), copy);
    EXPECT_TRUE(std::equal(values.begin(), values.end(), reinterpret_cast<float const*>(copy)));
    EXPECT_EQ(weights.canonical(of_memory, owned), owned.bytes()) << "what is in memory already needs no copy";
    EXPECT_EQ(weights.bytes(), 12U);
}

}  // namespace
}  // namespace vitrum
