// SPDX-License-Identifier: Apache-2.0
#include "call.h"

#include <nanobind/stl/string.h>

#include <algorithm>

#include "arrays.h"
#include "errors.h"

namespace vitrum::python {
namespace {

std::string joined(std::vector<std::string> const& names) {
    std::string text;
    for (auto const& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

/// The arguments in the order of the network's inputs.
std::vector<nb::handle> in_order(std::vector<std::string> const& names, nb::args const& args, nb::kwargs const& named) {
    std::vector<nb::handle> objects(names.size());
    if (args.size() > names.size()) {
        refuse_type("the network takes " + std::to_string(names.size()) + " inputs (" + joined(names) + "), not " +
                    std::to_string(args.size()));
    }
    for (std::size_t i = 0; i < args.size(); ++i) objects[i] = args[i];
    for (auto const& [key, value] : named) {
        auto const name = nb::cast<std::string>(key);
        auto const found = std::ranges::find(names, name);
        if (found == names.end()) refuse_type("the network has no input " + name + "; its inputs: " + joined(names));
        auto& object = objects[static_cast<std::size_t>(found - names.begin())];
        if (object.is_valid()) refuse_type("the input " + name + " is given twice");
        object = value;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!objects[i].is_valid()) refuse_type("the input " + names[i] + " is missing; the inputs: " + joined(names));
    }
    return objects;
}

std::vector<Input> import_all(std::vector<std::string> const& names, std::vector<nb::handle> const& objects) {
    std::vector<Input> inputs;
    inputs.reserve(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) inputs.push_back(import_input(objects[i], names[i]));
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

void check_values(Values values, std::string const& name) {
    if (values == Values::fine) return;
    std::string const why = values == Values::not_finite
                                ? "the network gave NaN or infinite values; check that the input is finite"
                                : "the network's values are too large for the input's type; pass float32";
    throw Error(name + ": " + why, ErrorKind::accuracy);
}

std::vector<Output> run(PreparedSession& prepared, Sizes const& sizes, std::vector<Input> const& inputs,
                        Progress const& progress) {
    prepared.prepare(sizes);
    Session& session = prepared.session();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        to_nhwc(planes_of(inputs[i], prepared.inputs()[i]), session.input(i).data());
    }
    session.run(progress);
    std::vector<Output> outputs;
    outputs.reserve(prepared.outputs().size());
    for (TensorInfo const& info : prepared.outputs()) {
        outputs.emplace_back(info, inputs.front().element);
        check_values(from_nhwc(session.output(outputs.size() - 1).data(), outputs.back().planes()), info.name);
    }
    return outputs;
}

}  // namespace

nb::object call(PyEngine& engine, nb::args const& args, nb::kwargs const& named) {
    auto const inputs = import_all(engine.input_names(), in_order(engine.input_names(), args, named));
    Sizes const sizes = sizes_of(inputs.front().array, engine.input_names().front(), engine.engine().info());
    std::vector<std::string> names;
    auto outputs = compute([&](Progress const& progress) {
        auto const lease = engine.lease();
        auto results = run(*lease, sizes, inputs, progress);
        if (results.size() > 1) {
            for (TensorInfo const& info : lease->outputs()) names.push_back(info.name);
        }
        return results;
    });
    if (outputs.size() == 1) return outputs.front().release(inputs.front());
    nb::dict by_name;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        by_name[names[i].c_str()] = outputs[i].release(inputs.front());
    }
    return by_name;
}

}  // namespace vitrum::python
