// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "compare_tensors.h"
#include "noise.h"
#include "output_values.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

using Values = std::vector<std::vector<float>>;

/// What each operator gives: the first output's values, copied.
Values layers_of(Session& session) {
    Values values;
    session.run_layers([&](LayerValue const& layer) { values.emplace_back(layer.values.begin(), layer.values.end()); });
    return values;
}

}  // namespace

AgainstReport verify_against_reference(Session& session, Sizes const& sizes, bool layers, double tolerance) {
    Engine const& engine = session.engine();
    Session reference(engine.on_device(Device::reference));
    for (Session* const one : {&session, &reference}) {
        one->prepare(sizes);
        fill_with_noise(*one, sizes);
    }
    AgainstReport report;
    report.tolerance = tolerance > 0 ? tolerance : error_limit(engine.precision());
    double const range = engine.info().value_range;
    if (layers) {
        Values const expected = layers_of(reference);
        session.run_layers([&](LayerValue const& layer) {
            auto const name = std::string(layer.op) + " " + layer.provenance;
            report.layers.push_back(compare_tensors(name, expected[report.layers.size()], layer.values, range));
        });
    } else {
        reference.run();
        session.run();
    }
    auto const outputs = engine.outputs(sizes);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        report.outputs.push_back(compare_tensors(outputs[i].name, output_values(reference, outputs[i], i),
                                                 output_values(session, outputs[i], i), range));
    }
    report.passed = all_within(report.outputs, report.tolerance);
    return report;
}

}  // namespace vitrum
