// SPDX-License-Identifier: Apache-2.0
#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;

std::string const kSix = floats({1, 2, 3, 4, 5, 6});

/// A checkpoint of one tensor "w" in six floats.
std::string with_tensor(std::int64_t offset, std::string const& size, std::string const& stride,
                        std::int64_t numel = 6) {
    return torch_zip(dict({text("w"), tensor(storage("FloatStorage", "0", numel), offset, size, stride)}),
                     {{"0", kSix}});
}

TEST(TorchZip, ReadsTensorsInPlace) {
    auto const weight = tensor(storage("FloatStorage", "0", 6), 0, integers({2, 3}), integers({3, 1}));
    auto const bias = tensor(storage("HalfStorage", "1", 2), 1, integers({1}), integers({1}));
    auto const checkpoint =
        read(torch_zip(dict({text("params"), dict({text("conv.weight"), weight, text("conv.bias"), bias})}),
                       {{"0", kSix}, {"1", u16(0) + u16(0x4000)}}, {{"version", "3\n"}, {"byteorder", "little"}}));
    EXPECT_EQ(checkpoint.format, "torch zip");
    ASSERT_EQ(checkpoint.tensors.size(), 2U);
    EXPECT_EQ(checkpoint.tensors[0].name, "params.conv.weight");
    EXPECT_EQ(checkpoint.tensors[0].view.shape, (Shape{2, 3}));
    EXPECT_EQ(elements(checkpoint, "params.conv.weight"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(checkpoint.tensors[1].view.dtype, DType::f16);
    EXPECT_EQ(elements(checkpoint, "params.conv.bias"), std::vector<float>{2});
    EXPECT_EQ(checkpoint.find("nothing"), nullptr);
}

TEST(TorchZip, KeepsStridesOfViews) {
    auto const transposed = read(with_tensor(0, integers({3, 2}), integers({1, 3})));
    EXPECT_EQ(elements(transposed, "w"), (std::vector<float>{1, 4, 2, 5, 3, 6}));
    auto const expanded = read(with_tensor(5, integers({2, 2}), integers({0, 0})));
    EXPECT_EQ(elements(expanded, "w"), (std::vector<float>{6, 6, 6, 6}));
    auto const scalar = read(with_tensor(2, integers({}), integers({})));
    EXPECT_EQ(elements(scalar, "w"), std::vector<float>{3});
    auto const empty = read(with_tensor(0, integers({0, 3}), integers({3, 1})));
    EXPECT_TRUE(elements(empty, "w").empty());
}

TEST(TorchZip, ReadsParametersAndABareTensor) {
    auto const data = tensor(storage("FloatStorage", "0", 6), 0, integers({6}), integers({1}));
    auto const hooks = call(global("collections", "OrderedDict"), {});
    auto const parameter = call(global("torch._utils", "_rebuild_parameter"), {data, kTrue, hooks});
    EXPECT_EQ(elements(read(torch_zip(parameter, {{"0", kSix}})), "tensor"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    auto const arguments = tuple({storage("FloatStorage", "0", 6), integer(1), integers({1}), integers({1})});
    auto const subclass = call(
        global("torch._tensor", "_rebuild_from_type_v2"),
        {global("torch._utils", "_rebuild_tensor_v2"), global("torch.nn.parameter", "Parameter"), arguments, kNone});
    EXPECT_EQ(elements(read(torch_zip(subclass, {{"0", kSix}})), "tensor"), std::vector<float>{2});
}

TEST(TorchZip, ReadsUntypedStoragesByTheirDtype) {
    auto const untyped = call(global("torch._utils", "_rebuild_tensor_v3"),
                              {storage("UntypedStorage", "0", 24), integer(1), integers({2}), integers({2}), kFalse,
                               kNone, global("torch", "float32")});
    EXPECT_EQ(elements(read(torch_zip(untyped, {{"0", kSix}})), "tensor"), (std::vector<float>{2, 4}));
}

TEST(TorchZip, TensorsMayNotLeaveTheirStorage) {
    constexpr std::int64_t kHuge = std::int64_t{1} << 62;
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({7}), integers({1}))),
                    "tensor \"w\" (pickle byte 167) of shape [7], strides [1], offset 0 and type float32 leaves its "
                    "storage of 6 elements");
    EXPECT_CONTAINS(error_of(with_tensor(4, integers({3}), integers({1}))), "leaves its storage");
    EXPECT_CONTAINS(error_of(with_tensor(-1, integers({1}), integers({1}))), "impossible extents");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({-1}), integers({1}))), "impossible extents");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({2}), integers({-1}))), "leaves its storage");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({3}), integers({kHuge}))), "leaves its storage");
    EXPECT_CONTAINS(error_of(with_tensor(kHuge, integers({1}), integers({1}))), "leaves its storage");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({kHuge, 4}), integers({0, 0}))), "impossible extents");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({0, kHuge, 4}), integers({0, 0, 0}))), "impossible extents");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({2}), integers({1, 1}))), "one stride per dimension");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({1 << 30}), integers({0}))), "repeats the same elements");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({1}), integers({1}), 7)),
                    "of 7 elements, but the file holds 24 bytes");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({1}), integers({1}), -1)), "of -1 elements");
    EXPECT_CONTAINS(error_of(with_tensor(0, integers({1, 1, 1, 1, 1, 1, 1, 1, 1}), integers({1}))), "9 dimensions");
}

TEST(TorchZip, NamesTypesThatAreNotRead) {
    auto const complex = tensor(storage("ComplexFloatStorage", "0", 3), 0, integers({3}), integers({1}));
    EXPECT_CONTAINS(error_of(torch_zip(dict({text("w"), complex}), {{"0", kSix}})), "tensor \"w\" (pickle byte");
    EXPECT_CONTAINS(error_of(torch_zip(dict({text("w"), complex}), {{"0", kSix}})),
                    "is of type ComplexFloatStorage, which is not read");
    auto const quantised = call(global("torch._utils", "_rebuild_qtensor"), {kNone});
    EXPECT_CONTAINS(error_of(torch_zip(dict({text("q"), quantised}))), "tensor \"q\"");
    auto const lazy =
        call(global("torch._utils", "_rebuild_tensor_v2"), {storage("FloatStorage", "0", 6), integer(0), integers({6}),
                                                            integers({1}), kFalse, kNone, dict({text("neg"), kTrue})});
    EXPECT_CONTAINS(error_of(torch_zip(dict({text("n"), lazy}), {{"0", kSix}})), "lazily conjugated or negated");
}

TEST(TorchZip, NamesStoragesThatAreMissing) {
    auto const weight = tensor(storage("FloatStorage", "17", 1), 0, integers({1}), integers({1}));
    EXPECT_CONTAINS(error_of(torch_zip(dict({text("w"), weight}))), "storage \"17\", which the file does not hold");
}

TEST(TorchZip, RefusesOtherByteOrders) {
    EXPECT_CONTAINS(error_of(torch_zip(dict({}), {}, {{"byteorder", "big"}})), "byte order \"big\"");
}

TEST(TorchZip, TellsTorchScriptAndOtherArchivesApart) {
    EXPECT_CONTAINS(error_of(torch_zip(dict({}), {}, {{"constants.pkl", pickle(dict({}))}})), "TorchScript");
    EXPECT_CONTAINS(error_of(torch_zip(dict({}), {}, {{"code/__torch__.py", ""}})), "TorchScript");
    EXPECT_CONTAINS(error_of(zip({{"w.npy", ""}})), "a numpy archive (.npz)");
    EXPECT_CONTAINS(error_of(zip({{"nets/model.pth", ""}})), "a zip archive that holds \"nets/model.pth\"; unzip it");
    EXPECT_CONTAINS(error_of(zip({})), "holds no data.pkl");
    EXPECT_CONTAINS(error_of(zip({{"a/data.pkl", ""}, {"b/data.pkl", ""}})), "two checkpoints");
}

}  // namespace
}  // namespace vitrum
