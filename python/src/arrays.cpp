// SPDX-License-Identifier: Apache-2.0
#include "arrays.h"

#include <nanobind/stl/string.h>

#include <array>
#include <new>
#include <optional>
#include <string_view>

#include "errors.h"

namespace vitrum::python {
namespace {

using DlCode = nb::dlpack::dtype_code;
constexpr std::align_val_t kAlignment{64};

struct Package {
    std::string_view name;
    Framework framework;
};
constexpr std::array kPackages = {Package{"numpy", Framework::numpy}, Package{"torch", Framework::torch},
                                  Package{"jax", Framework::jax}, Package{"jaxlib", Framework::jax},
                                  Package{"tensorflow", Framework::tensorflow}};

std::string text_of(nb::handle object) {
    return nb::cast<std::string>(nb::str(object));
}

std::string class_name(nb::handle object) {
    return text_of(object.type().attr("__name__"));
}

std::optional<Framework> framework_of_module(std::string_view module) {
    auto const package = module.substr(0, module.find('.'));
    for (auto const& [name, framework] : kPackages) {
        if (package == name) return framework;
    }
    return std::nullopt;
}

/// By the package of the class, or of one that it derives from.
Framework framework_of(nb::handle object) {
    for (nb::handle const type : nb::borrow<nb::tuple>(object.type().attr("__mro__"))) {
        nb::object const module = nb::getattr(type, "__module__", nb::str(""));
        char const* const name = nb::isinstance<nb::str>(module) ? nb::borrow<nb::str>(module).c_str() : "";
        if (auto const framework = framework_of_module(name)) return *framework;
    }
    return Framework::other;
}

std::string dtype_text(nb::dlpack::dtype const& type) {
    std::string const bits = std::to_string(type.bits);
    switch (static_cast<DlCode>(type.code)) {
        case DlCode::Int: return "int" + bits;
        case DlCode::UInt: return "uint" + bits;
        case DlCode::Float: return "float" + bits;
        case DlCode::Bfloat: return "bfloat" + bits;
        case DlCode::Complex: return "complex" + bits;
        case DlCode::Bool: return "bool";
        default: return "numbers of an unusual type";
    }
}

std::optional<Element> element_of(nb::dlpack::dtype const& type) {
    if (type.lanes != 1) return std::nullopt;
    if (type == nb::dtype<float>()) return Element::f32;
    if (type == nb::dtype<double>()) return Element::f64;
    if (type.bits != 16) return std::nullopt;
    if (type.code == static_cast<std::uint8_t>(DlCode::Float)) return Element::f16;
    if (type.code == static_cast<std::uint8_t>(DlCode::Bfloat)) return Element::bf16;
    return std::nullopt;
}

nb::dlpack::dtype dtype_of(Element element) {
    auto const code = element == Element::bf16 ? DlCode::Bfloat : DlCode::Float;
    return {static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(8 * size_of(element)), 1};
}

[[noreturn]] void refuse_object(nb::handle object, std::string const& what) {
    if (nb::hasattr(object, "dtype")) {
        refuse_type(what + ": cannot read " + class_name(object) + " of " + text_of(object.attr("dtype")) +
                    "; pass a dense array of float32 in this machine's byte order");
    }
    refuse_type(what + ": expected an array (NumPy, PyTorch, anything that speaks DLPack), not " + class_name(object));
}

}  // namespace

std::string shape_text(std::vector<std::int64_t> const& shape) {
    std::string text;
    for (std::int64_t const extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
    return "[" + text + "]";
}

std::string shape_text(nb::ndarray<nb::ro> const& array) {
    return shape_text(std::vector<std::int64_t>(array.shape_ptr(), array.shape_ptr() + array.ndim()));
}

nb::ndarray<nb::ro> import_array(nb::handle object, std::string const& what) {
    nb::ndarray<nb::ro> array;
    // A str or bytes has a buffer too, which nobody means as numbers.
    bool const is_text = nb::isinstance<nb::str>(object) || nb::isinstance<nb::bytes>(object);
    if (is_text || object.is_none() || !nb::try_cast(object, array, false)) refuse_object(object, what);
    if (array.device_type() != nb::device::cpu::value) {
        refuse(what + ": the array is on another device; this engine runs on the CPU, so pass x.cpu()");
    }
    return array;
}

Input import_input(nb::handle object, std::string const& what) {
    Input input;
    input.object = nb::borrow(object);
    input.array = import_array(object, what);
    auto const element = element_of(input.array.dtype());
    if (!element) {
        refuse_type(what + ": " + dtype_text(input.array.dtype()) +
                    " values, where the network takes float32 (float16, bfloat16 and float64 are converted); scale "
                    "pixels to the network's range first, or give uint8 pictures to engine.run()");
    }
    input.element = *element;
    input.framework = framework_of(object);
    if (input.framework == Framework::torch && nb::cast<bool>(object.attr("requires_grad"))) {
        refuse_type(what + ": the tensor requires a gradient, which vitrum does not compute; pass x.detach()");
    }
    return input;
}

std::vector<std::int64_t> framework_shape(TensorInfo const& info) {
    auto const& s = info.shape;
    if (info.as_stated) return s;
    if (info.queries) return {s[0], s[2], s[3]};
    return {s[0], s[3], s[1], s[2]};
}

/// ONNX graphs may also take and give tensors that are no float32 [N, C, H, W].
static void refuse_as_stated(TensorInfo const& info) {
    if (info.as_stated)
        refuse(info.name + ": only float32 (N, C, H, W) of an ONNX file can be passed from Python so far");
}

Planes planes_of(Input const& input, TensorInfo const& info) {
    refuse_as_stated(info);
    auto const expected = framework_shape(info);
    auto const& a = input.array;
    if (!std::equal(expected.begin(), expected.end(), a.shape_ptr(), a.shape_ptr() + a.ndim())) {
        refuse(info.name + ": the array's shape is " + shape_text(a) + ", the network's is " + shape_text(expected));
    }
    // DLPack has no type for arrays that are only read.
    void* const data = const_cast<void*>(a.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    auto const& s = info.shape;
    if (info.queries) {
        return {data, input.element, s[0], s[3], 1, s[2], a.stride(0), a.stride(2), 0, a.stride(1)};
    }
    return {data, input.element, s[0], s[3], s[1], s[2], a.stride(0), a.stride(1), a.stride(2), a.stride(3)};
}

void Output::Free::operator()(std::byte* memory) const noexcept {
    ::operator delete[](memory, kAlignment);
}

Output::Output(TensorInfo const& info, Element element) {
    refuse_as_stated(info);
    auto const& s = info.shape;
    std::int64_t const n = s[0], h = s[1], w = s[2], c = s[3];
    auto const bytes = static_cast<std::size_t>(n * h * w * c) * size_of(element);
    memory_.reset(static_cast<std::byte*>(::operator new[](bytes, kAlignment)));
    for (std::int64_t const extent : framework_shape(info)) shape_.push_back(static_cast<std::size_t>(extent));
    planes_ = {memory_.get(), element, n, c, h, w, c * h * w, h * w, w, 1};
    if (info.queries) {
        planes_.c_stride = 1;
        planes_.w_stride = c;
    }
}

nb::object Output::release(Input const& like) {
    nb::capsule const owner(memory_.get(), [](void* memory) noexcept { Free()(static_cast<std::byte*>(memory)); });
    void* const data = memory_.release();
    auto const as = [&]<class Kind>(Kind) {
        return nb::cast(nb::ndarray<Kind>(data, shape_.size(), shape_.data(), owner, nullptr, dtype_of(planes_.element),
                                          nb::device::cpu::value));
    };
    switch (like.framework) {
        case Framework::numpy: return as(nb::numpy{});
        case Framework::torch: return as(nb::pytorch{});
        case Framework::tensorflow: return as(nb::tensorflow{});
        case Framework::jax: return as(nb::jax{});
        case Framework::other: break;
    }
    // The Python array API standard: the array's own library takes DLPack.
    if (!nb::hasattr(like.object, "__array_namespace__")) return as(nb::numpy{});
    return like.object.attr("__array_namespace__")().attr("from_dlpack")(as(nb::array_api{}));
}

}  // namespace vitrum::python
