// SPDX-License-Identifier: Apache-2.0
#include "cuda_data.h"

#include <algorithm>
#include <cstdlib>

#include "loader/cuda.h"
#include "vitrum/error.h"

namespace vitrum::test {

namespace fs = std::filesystem;

static constexpr std::string_view kSuffix = ".io.safetensors";

fs::path data_folder() {
    char const* const folder = std::getenv("VITRUM_TEST_DATA");
    return folder != nullptr ? folder : VITRUM_TEST_DATA;
}

std::vector<std::string> cases() {
    std::vector<std::string> names;
    std::error_code none;
    for (auto const& entry : fs::directory_iterator(data_folder(), none)) {
        auto const file = entry.path().filename().string();
        if (file.ends_with(kSuffix)) names.push_back(file.substr(0, file.size() - kSuffix.size()));
    }
    std::ranges::sort(names);
    return names;
}

fs::path golden_of(std::string const& name) {
    return data_folder() / (name + std::string(kSuffix));
}

fs::path checkpoint_of(std::string const& name) {
    for (std::string const extension : {".pth", ".pt", ".safetensors", ".pkl", ""}) {
        auto path = data_folder() / (name + extension);
        if (fs::exists(path)) return path;
    }
    return name + " has no checkpoint";
}

static std::string why_no_gpu(int index) {
    try {
        static_cast<void>(open_cuda_backend(index));
    } catch (Error const& error) {
        return error.what();
    }
    return {};
}

std::string const& why_no_gpu() {
    static std::string const why = why_no_gpu(0);
    return why;
}

std::string const& why_no_second_gpu() {
    static std::string const why = why_no_gpu(1);
    return why;
}

Engine open_on_gpu(std::string const& name, int index, Precision precision) {
    return Engine::open(checkpoint_of(name), {.device = Device::cuda, .device_index = index, .precision = precision});
}

}  // namespace vitrum::test
