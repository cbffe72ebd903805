// SPDX-License-Identifier: Apache-2.0
#include "frameworks.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <optional>
#include <string_view>

#include "errors.h"

namespace vitrum::python {
namespace {

struct Package {
    std::string_view name;
    Framework framework;
};
constexpr std::array kPackages = {Package{"numpy", Framework::numpy}, Package{"torch", Framework::torch},
                                  Package{"jax", Framework::jax},     Package{"jaxlib", Framework::jax},
                                  Package{"cupy", Framework::cupy},   Package{"tensorflow", Framework::tensorflow}};

std::optional<Framework> framework_of_module(std::string_view module) {
    auto const package = module.substr(0, module.find('.'));
    for (auto const& [name, framework] : kPackages) {
        if (package == name) return framework;
    }
    return std::nullopt;
}

/// The type of device and its index, as DLPack counts both.
std::pair<int, int> dlpack_device(nb::handle array) {
    nb::object const pair = array.attr("__dlpack_device__")();
    return {nb::cast<int>(nb::int_(pair[0])), nb::cast<int>(nb::int_(pair[1]))};
}

/// torch.utils.dlpack's functions on capsules: Tensor.__dlpack__ and from_dlpack(object) take 5 to 20 us.
nb::object torch_dlpack(char const* function) {
    return nb::module_::import_("torch.utils.dlpack").attr(function);
}

}  // namespace

/// By the package of the class, or of one that it derives from.
Framework framework_of(nb::handle array) {
    for (nb::handle const type : nb::borrow<nb::tuple>(array.type().attr("__mro__"))) {
        nb::object const module = nb::getattr(type, "__module__", nb::str(""));
        char const* const name = nb::isinstance<nb::str>(module) ? nb::borrow<nb::str>(module).c_str() : "";
        if (auto const framework = framework_of_module(name)) return *framework;
    }
    return Framework::other;
}

std::string text_of(nb::handle object) {
    return nb::cast<std::string>(nb::str(object));
}

bool is_on_host(nb::handle array, Framework framework) {
    if (framework == Framework::numpy) return true;
    try {
        if (framework == Framework::torch) return nb::cast<bool>(array.attr("is_cpu"));
        if (!nb::hasattr(array, "__dlpack_device__")) return true;
        int const type = dlpack_device(array).first;
        return type == nb::device::cpu::value || type == nb::device::cuda_host::value;
    } catch (nb::python_error const&) {
        return true;  // arrays that are traced with have no device, nor numbers
    }
}

std::string device_text(nb::handle array, Framework framework) {
    if (framework == Framework::torch) return text_of(array.attr("device"));
    auto const [type, index] = dlpack_device(array);
    bool const is_cuda = type == nb::device::cuda::value || type == nb::device::cuda_managed::value;
    return is_cuda ? "cuda:" + std::to_string(index) : "a device of DLPack's type " + std::to_string(type);
}

nb::object copied_to_host(nb::handle array, Framework framework) {
    switch (framework) {
        case Framework::torch: return array.attr("detach")().attr("cpu")();
        case Framework::cupy: return array.attr("get")();
        case Framework::jax: return nb::module_::import_("numpy").attr("asarray")(array);
        default: break;
    }
    int const cpu = nb::device::cpu::value;
    return array.attr("__dlpack__")("dl_device"_a = nb::make_tuple(cpu, 0), "max_version"_a = nb::make_tuple(1, 0));
}

void* stream_of(nb::handle array, Framework framework) {
    if (framework != Framework::torch) return nullptr;
    nb::object const cuda = nb::module_::import_("torch.cuda");
    if (nb::cast<bool>(cuda.attr("is_current_stream_capturing")())) {
        refuse(
            "the current stream is being captured, and a run cannot be part of another CUDA graph: it is one itself");
    }
    nb::object const current = cuda.attr("current_stream")(array.attr("device"));
    return reinterpret_cast<void*>(nb::cast<std::uintptr_t>(current.attr("cuda_stream")));
}

nb::object empty_tensor(std::vector<std::int64_t> const& shape, std::string const& dtype, nb::handle beside) {
    nb::object const torch = nb::module_::import_("torch");
    return torch.attr("empty")(shape, "dtype"_a = torch.attr(dtype.c_str()), "device"_a = beside.attr("device"));
}

/// Tensors proper as capsules, unless PyTorch refuses. DLPack does not tell that numbers stand for their negatives (the
/// imaginary part of a conjugate), so that such tensors are copied.
nb::object exported_tensor(nb::handle tensor) {
    nb::object plain = nb::borrow(tensor);
    try {
        if (nb::cast<bool>(plain.attr("is_neg")())) plain = plain.attr("resolve_neg")();
        bool const is_subclass = !nb::type_name(plain.type()).equal(nb::str("torch.Tensor"));
        return is_subclass ? plain : torch_dlpack("to_dlpack")(plain);
    } catch (nb::python_error const&) {
        return plain;
    }
}

nb::object tensor_of(nb::handle capsule) {
    return torch_dlpack("from_dlpack")(capsule);
}

}  // namespace vitrum::python
