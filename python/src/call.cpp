// SPDX-License-Identifier: Apache-2.0
#include "call.h"

#include <nanobind/stl/string.h>

#include <algorithm>

#include "arrays.h"
#include "device_arrays.h"
#include "errors.h"

namespace vitrum::python {
namespace {

std::string joined(std::vector<TensorInfo> const& infos) {
    std::string text;
    for (TensorInfo const& info : infos) text += (text.empty() ? "" : ", ") + info.name;
    return text;
}

/// The arguments in the order of the network's inputs.
std::vector<nb::handle> in_order(std::vector<TensorInfo> const& wanted, nb::args const& args, nb::kwargs const& named) {
    std::vector<nb::handle> objects(wanted.size());
    if (args.size() > wanted.size()) {
        refuse_type("the network takes " + std::to_string(wanted.size()) + " inputs (" + joined(wanted) + "), not " +
                    std::to_string(args.size()));
    }
    for (std::size_t i = 0; i < args.size(); ++i) objects[i] = args[i];
    for (auto const& [key, value] : named) {
        auto const name = nb::cast<std::string>(key);
        auto const found = std::ranges::find(wanted, name, &TensorInfo::name);
        if (found == wanted.end()) refuse_type("the network has no input " + name + "; its inputs: " + joined(wanted));
        auto& object = objects[static_cast<std::size_t>(found - wanted.begin())];
        if (object.is_valid()) refuse_type("the input " + name + " is given twice");
        object = value;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (!objects[i].is_valid())
            refuse_type("the input " + wanted[i].name + " is missing; the inputs: " + joined(wanted));
    }
    return objects;
}

std::vector<Input> import_all(std::vector<TensorInfo> const& wanted, std::vector<nb::handle> const& objects,
                              CompileOptions const& options) {
    std::vector<Input> inputs;
    inputs.reserve(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        Input const& input = inputs.emplace_back(import_input(objects[i], wanted[i], options));
        Input const& first = inputs.front();
        if (input.is_on_device != first.is_on_device) {
            refuse(wanted[i].name + ": one of the arrays is on the GPU and another is not; pass all of them there");
        }
        if (input.is_on_device && input.framework != first.framework) {
            refuse(wanted[i].name + ": arrays on the GPU of two libraries, which do not wait for each other");
        }
    }
    return inputs;
}

/// Every network's first input is the picture.
Sizes sizes_of(nb::ndarray<nb::ro> const& picture, std::string const& name, ModelInfo const& info) {
    if (picture.ndim() != 4) {
        refuse(name + ": the array's shape is " + shape_text(picture) +
               "; a batch of pictures is [N, C, H, W], one picture [1, C, H, W]");
    }
    if (picture.size() == 0) refuse(name + ": the array of shape " + shape_text(picture) + " is empty");
    auto const extent = [&](std::size_t i) { return static_cast<std::int64_t>(picture.shape(i)); };
    if (extent(1) != info.in_channels) {
        refuse(name + ": the array's shape is " + shape_text(picture) + ", but " + info.variant + " takes " +
               std::to_string(info.in_channels) + " channels: [N, " + std::to_string(info.in_channels) + ", H, W]");
    }
    return {extent(0), extent(2), extent(3)};
}

InputShapes shapes_of(std::vector<Input> const& inputs) {
    std::vector<std::vector<std::int64_t>> shapes;
    shapes.reserve(inputs.size());
    for (Input const& input : inputs)
        shapes.emplace_back(input.array.shape_ptr(), input.array.shape_ptr() + input.array.ndim());
    return InputShapes(std::move(shapes));
}

/// What float32 outputs become: what the first float32 input was.
Element answer_element(std::vector<TensorInfo> const& infos, std::vector<Input> const& inputs) {
    auto const first = std::ranges::find(infos, "float32", &TensorInfo::dtype);
    return first == infos.end() ? Element::f32 : inputs[static_cast<std::size_t>(first - infos.begin())].element;
}

void check_values(Outcome values, std::string const& name) {
    if (values == Outcome::fine) return;
    std::string const why = values == Outcome::not_finite
                                ? "the network gave NaN or infinite values; check that the input is finite"
                                : "the network's values are too large for the input's type; pass float32";
    throw Error(name + ": " + why, ErrorKind::accuracy);
}

/// What answers are to be like: the first input, or an array of NumPy's where a graph takes nothing.
Input const& first_of(std::vector<Input> const& inputs) {
    static Input const numpy = [] {
        Input like;
        like.framework = Framework::numpy;
        return like;
    }();
    return inputs.empty() ? numpy : inputs.front();
}

enum class Check : std::uint8_t { values, nothing };

template <class Array>
struct Results {
    std::vector<Array> outputs;
    std::vector<std::string> names;
};

/// By way of the session's memory on the host.
template <class SizesOrShapes>
Results<Output> run(PreparedSession& prepared, SizesOrShapes const& sizes, std::vector<Input> const& inputs,
                    Check check, Progress const& progress) {
    prepared.prepare(sizes);
    Session& session = prepared.session();
    for (std::size_t i = 0; i < inputs.size(); ++i) fill(session.input_bytes(i), inputs[i], prepared.inputs()[i]);
    if (check == Check::values) session.run_checked(progress);
    else session.run(progress);
    Element const element = answer_element(prepared.inputs(), inputs);
    Results<Output> results;
    results.outputs.reserve(prepared.outputs().size());
    for (TensorInfo const& info : prepared.outputs()) {
        std::size_t const i = results.outputs.size();
        Output& output = results.outputs.emplace_back(info, element, first_of(inputs).framework);
        Outcome const values = output.take(session.output_bytes(i));
        if (check == Check::values) check_values(values, info.name);
        results.names.push_back(info.name);
    }
    return results;
}

/// Arrays that lie on the engine's device are read and written there. With the GIL, since PyTorch's memory is had from
/// Python; what computes is without.
template <class SizesOrShapes>
Results<DeviceOutput> run_on_device(PyEngine& engine, SizesOrShapes const& sizes, std::vector<Input>& inputs,
                                    Check check) {
    Input const& like = inputs.front();
    void* const stream = stream_of(like.object, like.framework);
    auto const lease = compute([&](Progress const&) { return engine.lease(); });
    compute([&](Progress const&) {
        lease->prepare(sizes);
        return true;
    });
    Element const element = answer_element(lease->inputs(), inputs);
    std::vector<DeviceTensor> from, to;
    for (std::size_t i = 0; i < inputs.size(); ++i) from.push_back(device_tensor(inputs[i], lease->inputs()[i]));
    Results<DeviceOutput> results;
    for (TensorInfo const& info : lease->outputs()) {
        to.push_back(results.outputs.emplace_back(engine.engine(), info, element, like).tensor());
        results.names.push_back(info.name);
    }
    Session& session = lease->session();
    Reruns const before = session.reruns();
    auto const values = compute([&](Progress const&) {
        if (check == Check::values) return session.run_checked(from, to, stream);
        session.run(from, to, stream);
        if (like.framework != Framework::torch) session.wait();
        return Outcome::fine;
    });
    warn_of(session.reruns().since(before));
    check_values(values, lease->outputs().size() == 1 ? results.names.front() : "an output");
    return results;
}

/// Calls body with the pictures' sizes or, of ONNX graphs that are of no known family, the shapes of all inputs.
template <class Body>
auto with_sizes(PyEngine& engine, std::vector<Input> const& inputs, Body const& body) {
    ModelInfo const& info = engine.engine().info();
    if (info.kind == Task::tensors) return body(shapes_of(inputs));
    return body(sizes_of(inputs.front().array, engine.declared_inputs().front().name, info));
}

std::vector<Input> imported(PyEngine& engine, nb::args const& args, nb::kwargs const& named) {
    auto const& wanted = engine.declared_inputs();
    return import_all(wanted, in_order(wanted, args, named), engine.engine().options());
}

template <class Array>
nb::dict by_name(Results<Array>& results, Input const& like) {
    nb::dict named;
    for (std::size_t i = 0; i < results.outputs.size(); ++i) {
        named[results.names[i].c_str()] = results.outputs[i].release(like);
    }
    return named;
}

/// Runs the network on the arrays, and calls answer(results, the first of the arrays).
template <class Answer>
auto answered(PyEngine& engine, nb::args const& args, nb::kwargs const& named, Check check, Answer const& answer) {
    auto inputs = imported(engine, args, named);
    return with_sizes(engine, inputs, [&](auto const& sizes) {
        if (first_of(inputs).is_on_device) {
            auto results = run_on_device(engine, sizes, inputs, check);
            return answer(results, inputs.front());
        }
        auto results = compute_on(engine, [&](PreparedSession& prepared, Progress const& progress) {
            return run(prepared, sizes, inputs, check, progress);
        });
        return answer(results, first_of(inputs));
    });
}

}  // namespace

nb::object call(PyEngine& engine, nb::args const& args, nb::kwargs const& named) {
    return answered(engine, args, named, Check::values, [](auto& results, Input const& like) -> nb::object {
        if (results.outputs.size() == 1) return results.outputs.front().release(like);
        return by_name(results, like);
    });
}

nb::dict evaluate(PyEngine& engine, nb::args const& args, nb::kwargs const& named) {
    return answered(engine, args, named, Check::nothing,
                    [](auto& results, Input const& like) { return by_name(results, like); });
}

}  // namespace vitrum::python
