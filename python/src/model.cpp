// SPDX-License-Identifier: Apache-2.0
#include "vitrum/model.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "arrays.h"
#include "bindings.h"
#include "errors.h"
#include "path.h"

namespace vitrum::python {
namespace {

char const* name_of(Task task) {
    switch (task) {
        case Task::restore: return "restore";
        case Task::spectral: return "spectral";
        case Task::segment: return "segment";
        case Task::tensors: return "tensors";
    }
    return "unknown";
}

std::optional<ElementType> weight_type(nb::dlpack::dtype const& type) {
    struct Pair {
        nb::dlpack::dtype_code code;
        int bits;
        ElementType type;
    };
    using Code = nb::dlpack::dtype_code;
    using Type = ElementType;
    static constexpr Pair kTypes[] = {{Code::Float, 32, Type::f32},   {Code::Float, 16, Type::f16},
                                      {Code::Bfloat, 16, Type::bf16}, {Code::Float, 64, Type::f64},
                                      {Code::Int, 8, Type::i8},       {Code::UInt, 8, Type::u8},
                                      {Code::Int, 16, Type::i16},     {Code::Int, 32, Type::i32},
                                      {Code::Int, 64, Type::i64},     {Code::Bool, 8, Type::boolean}};
    for (Pair const& pair : kTypes) {
        if (static_cast<std::uint8_t>(pair.code) == type.code && pair.bits == type.bits && type.lanes == 1) {
            return pair.type;
        }
    }
    return std::nullopt;
}

/// A copy of the weights: whoever trains on changes them in place.
class Snapshot {
public:
    explicit Snapshot(nb::dict const& tensors) {
        for (auto const& [key, value] : tensors) {
            auto& entry = entries_.emplace_back();
            entry.tensor.name = nb::cast<std::string>(key);
            entry.array = import_array(value, entry.tensor.name);
            auto const type = weight_type(entry.array.dtype());
            if (!type) refuse_type(entry.tensor.name + ": weights of this type cannot be read; convert to float32");
            entry.tensor.type = *type;
            entry.tensor.shape.assign(entry.array.shape_ptr(), entry.array.shape_ptr() + entry.array.ndim());
            entry.offset = size_;
            size_ += (entry.array.nbytes() + kAlignment - 1) / kAlignment * kAlignment;
        }
    }

    /// Without the GIL.
    void fill(MemoryCheckpoint& checkpoint) {
        auto const memory = std::make_shared<std::vector<std::byte>>(size_);
        for (Entry& entry : entries_) {
            std::byte* const to = memory->data() + entry.offset;
            copy_packed(entry.array, to);
            entry.tensor.data = to;
            checkpoint.tensors.push_back(std::move(entry.tensor));
        }
        checkpoint.owner = memory;
    }

private:
    static constexpr std::size_t kAlignment = 16;  // also what vector's memory has
    struct Entry {
        MemoryTensor tensor;
        nb::ndarray<nb::ro> array;
        std::size_t offset = 0;
    };
    std::vector<Entry> entries_;
    std::size_t size_ = 0;
};

Model from_tensors(nb::dict const& tensors, std::string name, std::string format, std::string config,
                   Overrides const& overrides) {
    Snapshot snapshot(tensors);
    nb::gil_scoped_release const released;
    MemoryCheckpoint checkpoint{std::move(name), std::move(format), {}, nullptr, std::move(config), {}};
    snapshot.fill(checkpoint);
    return Model::from_memory(checkpoint, overrides);
}

void bind_info(nb::module_& m) {
    nb::class_<Hyperparameter>(m, "Hyperparameter", "One deduced property of a network.")
        .def_ro("name", &Hyperparameter::name)
        .def_ro("value", &Hyperparameter::value)
        .def_ro("evidence", &Hyperparameter::evidence, "the key it was read from, or \"convention: ...\"")
        .def("__repr__", [](Hyperparameter const& h) { return h.name + "=" + h.value + " (" + h.evidence + ")"; });
    nb::class_<ModelInfo>(m, "ModelInfo", "What the weights hold.")
        .def_ro("family", &ModelInfo::family, "\"SwinIR\"")
        .def_prop_ro(
            "kind", [](ModelInfo const& i) { return name_of(i.kind); },
            "restore, spectral or segment; tensors for other ONNX graphs")
        .def_ro("task", &ModelInfo::task, "\"lightweight super-resolution\"")
        .def_ro("variant", &ModelInfo::variant, "one line: \"SwinIR lightweight super-resolution x2\"")
        .def_ro("scale", &ModelInfo::scale, "output pixels per input pixel along a side")
        .def_ro("in_channels", &ModelInfo::in_channels)
        .def_ro("out_channels", &ModelInfo::out_channels)
        .def_ro("value_range", &ModelInfo::value_range, "the network's pixels are 0 ... value_range")
        .def_ro("mixes_whole_picture", &ModelInfo::mixes_whole_picture, "tiles change the result")
        .def_ro("parameters", &ModelInfo::parameters)
        .def_ro("format", &ModelInfo::format, "\"torch zip\", \"safetensors\", ...")
        .def_ro("hyperparameters", &ModelInfo::hyperparameters)
        .def_ro("notes", &ModelInfo::notes, "what the reader should know")
        .def_prop_ro(
            "class_names", [](ModelInfo const& i) { return i.segmentation.class_names; },
            "empty where no file names them")
        .def_prop_ro(
            "size_multiple", [](ModelInfo const& i) { return i.sizes.multiple; }, "of both sides")
        .def_prop_ro(
            "largest_side", [](ModelInfo const& i) { return i.sizes.largest; }, "0: any")
        .def_prop_ro(
            "square", [](ModelInfo const& i) { return i.sizes.square; }, "height and width must be equal")
        .def("__repr__", [](ModelInfo const& i) { return "ModelInfo(" + i.variant + ")"; });
}

}  // namespace

void bind_model(nb::module_& m) {
    bind_info(m);
    nb::class_<Model>(m, "Model", "A trained network: recognised, its weights not yet read.")
        .def_static(
            "load", [](Path const& path, Overrides const& overrides) { return Model::load(path.value, overrides); },
            "path"_a, "overrides"_a = Overrides{}, nb::call_guard<nb::gil_scoped_release>())
        .def_static("from_tensors", from_tensors, "tensors"_a, nb::kw_only(), "name"_a, "format"_a, "config"_a = "",
                    "overrides"_a = Overrides{},
                    nb::sig("def from_tensors(tensors: dict[str, typing.Any], *, name: str, "
                            "format: str, config: str = '', overrides: typing.Mapping[str, str] = {}) -> Model"),
                    "Recognises weights in memory, of which it keeps a copy.")
        .def_prop_ro("info", &Model::info, nb::rv_policy::reference_internal)
        .def(
            "flops",
            [](Model const& model, std::int64_t n, std::int64_t height, std::int64_t width) {
                return model.flops({n, height, width});
            },
            "n"_a, "height"_a, "width"_a, "Floating-point operations of one run, a multiply-add counted as two.")
        .def("__repr__", [](Model const& model) { return "Model(" + model.info().variant + ")"; });
}

}  // namespace vitrum::python
