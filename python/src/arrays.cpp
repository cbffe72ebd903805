// SPDX-License-Identifier: Apache-2.0
#include "arrays.h"

#include <nanobind/stl/string.h>

#include <array>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>

#include "errors.h"

namespace vitrum::python {
namespace {

using DlCode = nb::dlpack::dtype_code;
constexpr std::align_val_t kAlignment{64};

std::string class_name(nb::handle object) {
    return text_of(object.type().attr("__name__"));
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

nb::dlpack::dtype dtype_of(DlCode code, std::size_t bits) {
    return {static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(bits), 1};
}

nb::dlpack::dtype dtype_of(Element element) {
    return dtype_of(element == Element::bf16 ? DlCode::Bfloat : DlCode::Float, 8 * size_of(element));
}

bool is_float32(TensorInfo const& info) {
    return info.dtype == "float32";
}

std::byte* copy_packed(nb::ndarray<nb::ro> const& a, std::size_t dimension, std::byte const* from, std::byte* to) {
    std::size_t const size = a.itemsize();
    if (dimension == a.ndim()) {
        std::memcpy(to, from, size);
        return to + size;
    }
    bool const packed = dimension + 1 == a.ndim() && a.stride(dimension) == 1;
    if (packed) {
        std::memcpy(to, from, a.shape(dimension) * size);
        return to + a.shape(dimension) * size;
    }
    auto const step = a.stride(dimension) * static_cast<std::int64_t>(size);
    for (std::size_t i = 0; i < a.shape(dimension); ++i, from += step) to = copy_packed(a, dimension + 1, from, to);
    return to;
}

/// A tensor in the framework's own order of dimensions: the last four of them in packed memory's order are n, h, w and
/// c. Dimensions before those are walked.
void to_packed(Input const& input, std::size_t dimension, std::byte const* from, float*& to) {
    auto const& a = input.array;
    std::size_t const rank = a.ndim();
    if (dimension + 4 < rank) {
        auto const step = a.stride(dimension) * static_cast<std::int64_t>(a.itemsize());
        for (std::size_t i = 0; i < a.shape(dimension); ++i, from += step) to_packed(input, dimension + 1, from, to);
        return;
    }
    std::array<std::int64_t, 4> extents{1, 1, 1, 1}, strides{};
    for (std::size_t i = dimension; i < rank; ++i) {
        extents[4 - rank + i] = static_cast<std::int64_t>(a.shape(i));
        strides[4 - rank + i] = a.stride(i);
    }
    auto const [n, h, w, c] = extents;
    // DLPack has no type for arrays that are only read.
    void* const data = const_cast<std::byte*>(from);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    to_nhwc({data, input.element, n, c, h, w, strides[0], strides[3], strides[1], strides[2]}, to);
    to += n * h * w * c;
}

/// `count` numbers in a row.
Planes row_of(void* data, Element element, std::int64_t count) {
    return {data, element, 1, 1, 1, count, count, 1, count, 1};
}

[[noreturn]] void refuse_object(nb::handle object, std::string const& what) {
    if (nb::hasattr(object, "dtype")) {
        refuse_type(what + ": cannot read " + class_name(object) + " of " + text_of(object.attr("dtype")) +
                    "; pass a dense array of float32 in this machine's byte order");
    }
    refuse_type(what + ": expected an array (NumPy, PyTorch, anything that speaks DLPack), not " + class_name(object));
}

}  // namespace

std::string dtype_text(nb::dlpack::dtype const& type) {
    std::string const bits = std::to_string(type.bits);
    switch (static_cast<DlCode>(type.code)) {
        case DlCode::Int: return "int" + bits;
        case DlCode::UInt: return "uint" + bits;
        case DlCode::Float: return "float" + bits;
        case DlCode::Bfloat: return "bfloat" + bits;
        case DlCode::Complex: return "complex" + bits;
        case DlCode::Bool: return "bool";
        default: return "unknown " + bits + "-bit";
    }
}

nb::dlpack::dtype dtype_named(std::string_view name) {
    for (DlCode const code : {DlCode::Float, DlCode::Int, DlCode::UInt, DlCode::Bfloat, DlCode::Bool}) {
        for (std::size_t bits = 8; bits <= 64; bits *= 2) {
            if (dtype_text(dtype_of(code, bits)) == name) return dtype_of(code, bits);
        }
    }
    throw Error("no array can hold values of type " + std::string(name), ErrorKind::usage);
}

std::string_view name_of(Element element) {
    switch (element) {
        case Element::f16: return "float16";
        case Element::bf16: return "bfloat16";
        case Element::f64: return "float64";
        case Element::f32: break;
    }
    return "float32";
}

Planes planes_of(Input const& input, TensorInfo const& info) {
    auto const& a = input.array;
    // DLPack has no type for arrays that are only read.
    void* const data = const_cast<void*>(a.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    auto const& s = info.shape;
    if (info.queries) {
        return {data, input.element, s[0], s[3], 1, s[2], a.stride(0), a.stride(2), 0, a.stride(1)};
    }
    return {data, input.element, s[0], s[3], s[1], s[2], a.stride(0), a.stride(1), a.stride(2), a.stride(3)};
}

std::string shape_text(std::vector<std::int64_t> const& shape) {
    std::string text;
    for (std::int64_t const extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
    return "[" + text + "]";
}

std::string shape_text(nb::ndarray<nb::ro> const& array) {
    return shape_text(std::vector<std::int64_t>(array.shape_ptr(), array.shape_ptr() + array.ndim()));
}

namespace {

/// The array behind an object, wherever it is.
nb::ndarray<nb::ro> read_array(nb::handle object, Framework framework, std::string const& what) {
    nb::ndarray<nb::ro> array;
    if (!nb::try_cast(framework == Framework::torch ? exported_tensor(object) : nb::borrow(object), array, false)) {
        refuse_object(object, what);
    }
    // As PyTorch exports the tensors that it traces with.
    if (array.data() == nullptr && array.size() > 0) refuse_object(object, what);
    return array;
}

[[noreturn]] void refuse_lie(std::string const& what) {
    refuse(what + ": the array is on another device than it says");
}

bool is_cuda(nb::ndarray<nb::ro> const& array) {
    return array.device_type() == nb::device::cuda::value || array.device_type() == nb::device::cuda_managed::value;
}

/// An array that is not in this process's memory, for an engine on that device.
nb::ndarray<nb::ro> device_array(nb::handle object, Framework framework, std::string const& name,
                                 CompileOptions const& options) {
    std::string const device = device_text(object, framework);
    std::string const where = name + ": the array is on " + device;
    if (options.device != Device::cuda) {
        refuse(where +
               ", the engine on the CPU; pass a copy in this process's memory (x.cpu() of PyTorch, x.get() of "
               "CuPy), or compile with device=\"cuda\"");
    }
    std::string const own = "cuda:" + std::to_string(options.device_index);
    if (device != own) {
        refuse(where + ", the engine on " + own + "; pass an array of that device, or compile with device=\"" + device +
               "\"");
    }
    auto const array = read_array(object, framework, name);
    if (!is_cuda(array) || array.device_id() != options.device_index) refuse_lie(name);
    return array;
}

void check_type(Input& input, TensorInfo const& info) {
    std::string const given = dtype_text(input.array.dtype());
    auto const element = element_of(input.array.dtype());
    if (is_float32(info) && !element) {
        refuse_type(info.name + ": " + given +
                    " values, where the network takes float32 (float16, bfloat16 and float64 are converted); scale "
                    "pixels to the network's range first, or give uint8 pictures to engine.run()");
    }
    if (!is_float32(info) && given != info.dtype) {
        refuse_type(info.name + ": " + given + " values, where the network takes " + info.dtype +
                    "; convert the array first");
    }
    input.element = element.value_or(Element::f32);
}

void refuse_gradient(Input const& input, std::string const& name) {
    if (input.framework == Framework::torch && nb::cast<bool>(input.object.attr("requires_grad"))) {
        refuse_type(name + ": the tensor requires a gradient, which vitrum does not compute; pass x.detach()");
    }
}

}  // namespace

nb::ndarray<nb::ro> import_array(nb::handle object, std::string const& what) {
    // A str or bytes has a buffer too, which nobody means as numbers.
    bool const is_text = nb::isinstance<nb::str>(object) || nb::isinstance<nb::bytes>(object);
    if (is_text || object.is_none()) refuse_object(object, what);
    Framework const framework = framework_of(object);
    if (!is_on_host(object, framework)) {
        refuse(what + ": the array is on " + device_text(object, framework) +
               "; pass a copy in this process's memory (x.cpu() of PyTorch, x.get() of CuPy)");
    }
    auto array = read_array(object, framework, what);
    if (auto const type = array.device_type(); type != nb::device::cpu::value && type != nb::device::cuda_host::value) {
        refuse_lie(what);
    }
    return array;
}

Input import_input(nb::handle object, TensorInfo const& info, CompileOptions const& options) {
    Input input;
    input.object = nb::borrow(object);
    input.framework = framework_of(object);
    refuse_gradient(input, info.name);
    input.is_on_device = !is_on_host(object, input.framework);
    input.array = input.is_on_device ? device_array(object, input.framework, info.name, options)
                                     : import_array(object, info.name);
    check_type(input, info);
    return input;
}

Input import_from_anywhere(nb::handle object, TensorInfo const& info) {
    Input input;
    input.object = nb::borrow(object);
    input.framework = framework_of(object);
    refuse_gradient(input, info.name);
    if (!is_on_host(object, input.framework)) {
        try {
            input.object = copied_to_host(object, input.framework);
        } catch (nb::python_error const& error) {
            refuse(info.name + ": the array is on " + device_text(object, input.framework) +
                   ", and can not be copied to this process's memory (" + error.what() + ")");
        }
    }
    input.array = import_array(input.object, info.name);
    check_type(input, info);
    return input;
}

void copy_packed(nb::ndarray<nb::ro> const& from, std::byte* to) {
    if (from.size() > 0) copy_packed(from, 0, static_cast<std::byte const*>(from.data()), to);
}

std::vector<std::int64_t> framework_shape(TensorInfo const& info) {
    auto const& s = info.shape;
    if (info.as_stated) return s;
    if (info.queries) return {s[0], s[2], s[3]};
    return {s[0], s[3], s[1], s[2]};
}

void check_shape(Input const& input, TensorInfo const& info) {
    auto const expected = framework_shape(info);
    auto const& a = input.array;
    if (!std::equal(expected.begin(), expected.end(), a.shape_ptr(), a.shape_ptr() + a.ndim())) {
        refuse(info.name + ": the array's shape is " + shape_text(a) + ", the network's is " + shape_text(expected));
    }
}

void fill(std::span<std::byte> to, Input const& input, TensorInfo const& info) {
    check_shape(input, info);
    auto const& a = input.array;
    if (a.size() == 0) return;
    if (!is_float32(info)) return copy_packed(a, to.data());
    auto* numbers = reinterpret_cast<float*>(to.data());
    if (info.as_stated) return to_packed(input, 0, static_cast<std::byte const*>(a.data()), numbers);
    to_nhwc(planes_of(input, info), numbers);
}

void Output::Free::operator()(std::byte* memory) const noexcept {
    ::operator delete[](memory, kAlignment);
}

Output::Output(TensorInfo const& info, Element element, Framework framework)
    : given_(dtype_named(info.dtype)), dtype_(given_) {
    bool const has_type = framework != Framework::numpy || given_ != dtype_of(Element::bf16);
    if (is_float32(info)) dtype_ = dtype_of(element);
    else if (!has_type) dtype_ = dtype_of(Element::f32);
    std::int64_t count = 1;
    for (std::int64_t const extent : framework_shape(info)) {
        shape_.push_back(static_cast<std::size_t>(extent));
        count *= extent;
    }
    auto const bytes = static_cast<std::size_t>(count) * dtype_.bits / 8;
    memory_.reset(static_cast<std::byte*>(::operator new[](bytes, kAlignment)));
    planes_ = row_of(memory_.get(), element_of(dtype_).value_or(Element::f32), count);
    if (info.as_stated) return;
    auto const& s = info.shape;
    std::int64_t const n = s[0], h = s[1], w = s[2], c = s[3];
    planes_ = {memory_.get(), element, n, c, h, w, c * h * w, h * w, w, 1};
    if (info.queries) {
        planes_.c_stride = 1;
        planes_.w_stride = c;
    }
}

Outcome Output::take(std::span<std::byte const> from) {
    if (from.empty()) return Outcome::fine;
    if (given_ == dtype_of(Element::f32)) return from_nhwc(reinterpret_cast<float const*>(from.data()), planes_);
    if (given_ != dtype_) {
        void* const data = const_cast<std::byte*>(from.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
        to_nhwc(row_of(data, Element::bf16, planes_.w), reinterpret_cast<float*>(memory_.get()));
    } else {
        std::memcpy(memory_.get(), from.data(), from.size());
    }
    bool const is_number = !element_of(dtype_) || all_finite(planes_);
    return is_number ? Outcome::fine : Outcome::not_finite;
}

nb::object array_of(void* data, std::vector<std::size_t> const& shape, nb::handle owner, nb::dlpack::dtype dtype,
                    Input const& like) {
    int const device = like.is_on_device ? like.array.device_id() : 0;
    int const type = like.is_on_device ? nb::device::cuda::value : nb::device::cpu::value;
    auto const as = [&]<class Kind>(Kind) {
        return nb::cast(nb::ndarray<Kind>(data, shape.size(), shape.data(), owner, nullptr, dtype, type, device));
    };
    switch (like.framework) {
        case Framework::torch: return tensor_of(as(nb::no_framework{}));
        case Framework::tensorflow: return as(nb::tensorflow{});
        case Framework::jax: return as(nb::jax{});
        case Framework::numpy: return as(nb::numpy{});
        case Framework::cupy: return as(nb::cupy{});
        case Framework::other: break;
    }
    // The Python array API standard: the array's own library takes DLPack.
    bool const has_library = nb::hasattr(like.object, "__array_namespace__");
    if (has_library) return like.object.attr("__array_namespace__")().attr("from_dlpack")(as(nb::array_api{}));
    return like.is_on_device ? as(nb::array_api{}) : as(nb::numpy{});
}

nb::object Output::release(Input const& like) {
    nb::capsule const owner(memory_.get(), [](void* memory) noexcept { Free()(static_cast<std::byte*>(memory)); });
    return array_of(memory_.release(), shape_, owner, dtype_, like);
}

}  // namespace vitrum::python
