// SPDX-License-Identifier: Apache-2.0
#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;

std::string const kFour = floats({1, 2, 3, 4});

std::string weights(std::string const& in, std::int64_t numel) {
    return dict({text("w"), tensor(in, 0, integers({numel}), integers({1}))});
}

TEST(TorchLegacy, ReadsStoragesBehindThePickles) {
    auto const a = tensor(storage("FloatStorage", "94", 4), 1, integers({2}), integers({2}));
    auto const b = tensor(storage("FloatStorage", "95", 1), 0, integers({1}), integers({1}));
    auto const checkpoint =
        read(torch_legacy(dict({text("a"), a, text("b"), b}), {{"95", floats({9})}, {"94", kFour}}));
    EXPECT_EQ(checkpoint.format, "torch legacy");
    EXPECT_EQ(elements(checkpoint, "a"), (std::vector<float>{2, 4}));
    EXPECT_EQ(elements(checkpoint, "b"), std::vector<float>{9});
}

/// A storage reference with view metadata: (key, offset, numel) of the root storage.
std::string storage_view(std::int64_t offset, std::int64_t numel) {
    auto const view = tuple({text("7"), integer(offset), integer(numel)});
    return tuple({text("storage"), global("torch", "FloatStorage"), text("1"), text("cpu"), integer(4), view}) + "Q";
}

TEST(TorchLegacy, ReadsStorageViews) {
    auto const checkpoint = read(torch_legacy(weights(storage_view(1, 3), 3), {{"1", kFour}}));
    EXPECT_EQ(elements(checkpoint, "w"), (std::vector<float>{2, 3, 4}));
}

TEST(TorchLegacy, StorageViewsMayNotLeaveTheirStorage) {
    EXPECT_CONTAINS(error_of(torch_legacy(weights(storage_view(1, 4), 4), {{"1", kFour}})),
                    "leaves its storage of 4 elements");
    EXPECT_CONTAINS(error_of(torch_legacy(weights(storage_view(-1, 2), 2), {{"1", kFour}})), "leaves its storage");
    EXPECT_CONTAINS(error_of(torch_legacy(weights(storage_view(1, 2), 3), {{"1", kFour}})),
                    "leaves its storage of 2 elements");
}

TEST(TorchLegacy, SaysThatACutFileIsCut) {
    auto const file = torch_legacy(weights(storage("FloatStorage", "0", 4), 4), {{"0", kFour}});
    EXPECT_CONTAINS(error_of(file.substr(0, file.size() - 1)), "the file ends inside storage \"0\"");
    EXPECT_CONTAINS(error_of(file.substr(0, file.size() - 20)), "the file ends inside storage \"0\"");
}

TEST(TorchLegacy, RefusesImpossibleStorages) {
    auto const value = weights(storage("FloatStorage", "0", 4), 4);
    auto file = torch_legacy(value, {{"0", kFour}});
    auto const count = file.size() - kFour.size() - 8;
    EXPECT_CONTAINS(error_of(std::string(file).replace(count, 8, u64(~std::uint64_t{0}))),
                    "the file ends inside storage");
    EXPECT_CONTAINS(error_of(torch_legacy(value, {{"0", kFour}, {"0", kFour}})), "is there twice");
    EXPECT_CONTAINS(error_of(torch_legacy(value, {{"1", kFour}})), "a storage that no tensor uses");
    EXPECT_CONTAINS(error_of(torch_legacy(value, {})), "storage \"0\", which the file does not hold");
    auto const two_types = list({value, weights(storage("DoubleStorage", "0", 2), 2)});
    EXPECT_CONTAINS(error_of(torch_legacy(two_types, {{"0", kFour}})), "used as FloatStorage and as DoubleStorage");
}

TEST(TorchLegacy, RefusesOtherByteOrders) {
    EXPECT_CONTAINS(error_of(torch_legacy(dict({}), {}, kFalse)), "big-endian");
}

TEST(TorchLegacy, RefusesCodeToo) {
    EXPECT_CONTAINS(error_of(torch_legacy(call(global("os", "system"), {}), {})), "refuses to call \"os.system\"");
}

}  // namespace
}  // namespace vitrum
