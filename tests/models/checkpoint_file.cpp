// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "formats/safetensors_writer.h"

namespace vitrum {

void CheckpointFile::conv(std::string const& name, int in, int out, int kernel) {
    set(name + ".weight", {out, in, kernel, kernel});
    set(name + ".bias", {out});
}

CheckpointFile& CheckpointFile::prefixed(std::string const& prefix) {
    return renamed([&](std::string const& name) { return prefix + name; });
}

std::filesystem::path const& CheckpointFile::write() {
    std::map<std::string, std::vector<float>> values;
    std::vector<NamedTensor> list;
    for (auto const& [name, tensor] : tensors_) {
        auto& data = values[name];
        data.assign(static_cast<std::size_t>(tensor.shape.count()), tensor.value);
        list.push_back({name, tensor.shape, data.data()});
    }
    auto const* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            ("vitrum_" + std::to_string(getpid()) + "_" + test->name() + ".safetensors");
    write_safetensors(path_, list);
    return path_;
}

CheckpointFile::~CheckpointFile() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
}

}  // namespace vitrum
