// SPDX-License-Identifier: Apache-2.0
#include "loader/cuda.h"

#include <dlfcn.h>

#include "backends/device_library.h"
#include "base/check.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

constexpr char const* kFile = "libvitrum_cuda.so";

/// Beside the file that holds this code: libvitrum.so, or a test program, whose libraries lie in a folder of theirs.
fs::path library_path() {
    Dl_info here{};
    if (dladdr(reinterpret_cast<void const*>(&cuda_facts), &here) == 0 || here.dli_fname == nullptr) return kFile;
    fs::path const folder = fs::absolute(here.dli_fname).parent_path();
    fs::path const beside = folder / kFile;
    fs::path const in_lib = folder.parent_path() / "lib" / kFile;
    return !fs::exists(beside) && fs::exists(in_lib) ? in_lib : beside;
}

DeviceLibrary const& cuda_library() {
    fs::path const path = library_path();
    if (!fs::exists(path)) {
        fail("no CUDA backend: {} is not there; install vitrum's CUDA library or use --device cpu", path.string());
    }
    return open_device_library(path);
}

}  // namespace

DeviceLibrary const& open_device_library(fs::path const& path) {
    // It stays open until the process ends: backends and the driver's threads live in it.
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        char const* const why = dlerror();
        fail("{}", why != nullptr ? why : "the CUDA library cannot be opened");
    }
    auto const open = reinterpret_cast<OpenDeviceLibrary>(dlsym(handle, "vitrum_cuda_open"));
    if (open == nullptr) fail("{} is no CUDA backend of vitrum: it has no vitrum_cuda_open", path.string());
    char const* theirs = "";
    DeviceLibrary const* const library = open(VITRUM_BACKEND_ABI, &theirs);
    if (library == nullptr) {
        fail("{} belongs to another build of vitrum ({}, this is {}); install both from one release", path.string(),
             theirs, VITRUM_BACKEND_ABI);
    }
    return *library;
}

std::unique_ptr<Backend> open_cuda_backend(int device) {
    return cuda_library().open(device);
}

CudaFacts cuda_facts() {
    CudaFacts facts;
    try {
        DeviceLibrary const& library = cuda_library();
        facts.library = library.versions();
        facts.devices = library.devices();
    } catch (Error const& error) {
        facts.library += (facts.library.empty() ? "" : "; ") + std::string(error.what());
    }
    return facts;
}

}  // namespace vitrum
