// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_data.h"
#include "fake_device.h"
#include "small_network.h"

namespace vitrum::test {

[[nodiscard]] inline Engine on_fake_device(FakeLog& log, ModelInfo const& info, Graph graph,
                                           std::optional<Precision> precision) {
    CompileOptions const options{.device = Device::cuda, .threads = 1, .precision = precision};
    return Engine(std::make_shared<Engine::Data>(info, std::move(graph), options, make_fake_device(log)));
}

/// An engine's network on a fake device.
[[nodiscard]] inline Engine on_fake_device(Engine const& engine, FakeLog& log, Precision precision = Precision::fp32) {
    return on_fake_device(log, engine.info(), *engine.data().only.graph, precision);
}

/// A graph on a fake device, the small network's if no other.
[[nodiscard]] inline Engine on_fake_device(FakeLog& log, Graph graph = small_graph(),
                                           std::optional<Precision> precision = std::nullopt) {
    return on_fake_device(log, small_info(), std::move(graph), precision);
}

}  // namespace vitrum::test
