// SPDX-License-Identifier: Apache-2.0
// Every file cut at every byte and with every byte changed ends in an Error or in tensors that lie inside it.

#include "build_files.h"

namespace vitrum {
namespace {

using namespace make;

std::vector<std::string> samples() {
    auto const weight = tensor(storage("FloatStorage", "0", 6), 0, integers({2, 3}), integers({3, 1}));
    auto const state =
        call(global("collections", "OrderedDict"), {}) + text("w") + weight + "s" + text("e") + integer(1) + "s";
    auto const data = floats({1, 2, 3, 4, 5, 6});
    auto const array = numpy_array(integers({2, 3}), numpy_dtype("f4", "<"), true, bytes(data));
    auto const json = R"({"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
    return {torch_zip(state, {{"0", data}}), zip({{"m/data.pkl", pickle(state)}, {"m/data/0", data}}, {.zip64 = true}),
            torch_legacy(state, {{"0", data}}), pickle(dict({text("model"), dict({text("w"), array})})),
            safetensors(json, data)};
}

void read_all(std::string const& content) {
    try {
        auto const checkpoint = read(content);
        for (auto const& tensor : checkpoint.tensors) {
            if (tensor.view.shape.count() <= 1'000'000) static_cast<void>(elements(checkpoint, tensor.name));
        }
    } catch (Error const&) {
        // the right way to end
    }
}

TEST(Damage, SamplesAreSoundToBeginWith) {
    for (auto const& sample : samples()) EXPECT_EQ(read(sample).tensors.size(), 1U);
}

TEST(Damage, CutFilesEndInAnError) {
    for (auto const& sample : samples()) {
        for (std::size_t size = 0; size < sample.size(); ++size) {
            EXPECT_THROW(static_cast<void>(read(sample.substr(0, size))), Error) << size << " of " << sample.size();
        }
    }
}

TEST(Damage, ChangedBytesNeverReachOutsideTheFile) {
    for (auto const& sample : samples()) {
        for (std::size_t i = 0; i < sample.size(); ++i) {
            for (int const change : {0x01, 0x10, 0x80, 0xFF}) {
                auto changed = sample;
                changed[i] = static_cast<char>(changed[i] ^ change);
                read_all(changed);
            }
        }
    }
}

}  // namespace
}  // namespace vitrum
