// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>

#include "base/check.h"
#include "cpu/backend.h"
#include "engine/engine_data.h"
#include "engine_file.h"
#include "models/model_data.h"
#include "packed_weights.h"
#include "passes/passes.h"
#include "program.h"
#include "reference/backend.h"

namespace vitrum {
namespace {

std::unique_ptr<Backend const> make_backend(CompileOptions const& options) {
    switch (options.device) {
        case Device::cpu: return make_cpu_backend({.isa = options.isa});
        case Device::reference: return make_reference_backend();
    }
    VITRUM_ASSERT(false);
}

CompileOptions resolved(CompileOptions options) {
    constexpr int kMaxThreads = 1024;
    if (options.threads < 0 || options.threads > kMaxThreads) {
        fail_as(ErrorKind::usage, "{} threads: 1 to {} can be used, 0 for all cores", options.threads, kMaxThreads);
    }
    if (options.threads == 0) options.threads = available_cores();
    return options;
}

}  // namespace

Engine::Data::Data(ModelInfo model_info, Graph optimised, CompileOptions compile_options)
    : info(std::move(model_info)),
      graph(std::move(optimised)),
      options(resolved(std::move(compile_options))),
      backend(make_backend(options)),
      packed(std::make_unique<PackedWeights>()) {}

Engine::Data::~Data() = default;

std::shared_ptr<Program const> Engine::Data::program(Sizes const& sizes) {
    // Programs are a few kilobytes: enough are kept for a folder of differently sized pictures.
    constexpr std::size_t kKept = 32;
    std::scoped_lock const lock(mutex_);
    auto const found = std::ranges::find(programs_, sizes, [](auto const& program) { return program->sizes; });
    if (found != programs_.end()) {
        programs_.splice(programs_.begin(), programs_, found);
    } else {
        if (auto const violation = size_violation(info, sizes); !violation.empty()) throw Error(violation);
        programs_.push_front(std::make_shared<Program const>(make_program(graph, *backend, sizes, options.threads)));
        if (programs_.size() > kKept) programs_.pop_back();
    }
    return programs_.front();
}

Engine Engine::compile(Model const& model, CompileOptions const& options) {
    return Engine(std::make_shared<Data>(model.info(), optimise(model.data().build_graph()), options));
}

Engine Engine::load(std::filesystem::path const& path, CompileOptions const& options) {
    auto [info, graph] = read_engine_file(path);
    return Engine(std::make_shared<Data>(std::move(info), std::move(graph), options));
}

Engine Engine::open(std::filesystem::path const& path, CompileOptions const& options, Overrides const& overrides) {
    if (!is_engine_file(path)) return compile(Model::load(path, overrides), options);
    if (!overrides.empty()) {
        fail_as(ErrorKind::usage,
                "{}: an engine file's settings were fixed when it was compiled; give --set to `vitrum compile`",
                path.string());
    }
    return load(path, options);
}

Engine Engine::on_device(Device device) const {
    CompileOptions options = data_->options;
    options.device = device;
    return Engine(std::make_shared<Data>(data_->info, data_->graph, options));
}

void Engine::save(std::filesystem::path const& path) const {
    write_engine_file(path, data_->info, data_->graph);
}

ModelInfo const& Engine::info() const {
    return data_->info;
}
CompileOptions const& Engine::options() const {
    return data_->options;
}
std::string Engine::isa() const {
    return data_->backend->isa();
}
std::string Engine::graph_text() const {
    return print(data_->graph);
}
double Engine::flops(Sizes const& sizes) const {
    return vitrum::flops(data_->graph, sizes);
}
std::size_t Engine::arena_bytes(Sizes const& sizes) const {
    return data_->program(sizes)->arena_bytes;
}

std::size_t Engine::weight_bytes() const {
    return static_cast<std::size_t>(parameter_count(data_->graph)) * sizeof(float) + data_->packed->bytes();
}

std::vector<KernelChoice> Engine::explain(Sizes const& sizes) const {
    std::vector<KernelChoice> choices;
    for (Step const& step : data_->program(sizes)->steps) {
        KernelChoice choice{.op = std::string(name_of(step.node->op)),
                            .provenance = step.node->provenance,
                            .kernel = std::string(step.selection.kernel),
                            .refusals = {}};
        for (Refusal const& refusal : step.selection.refusals) {
            choice.refusals.push_back(fmt::format("{}: {}", refusal.kernel, refusal.why));
        }
        choices.push_back(std::move(choice));
    }
    return choices;
}

/// Queries lie in one row whose length no picture's size changes.
static bool holds_queries(std::vector<Dim> const& dims) {
    return dims.size() == 4 && dims[1] == Dim(1) && dims[2].is_constant();
}

static std::vector<TensorInfo> infos_of(Graph const& graph, std::vector<ValueId> const& ids, Sizes const& sizes) {
    std::vector<TensorInfo> infos;
    for (ValueId const id : ids) {
        Value const& value = graph.value(id);
        auto& info = infos.emplace_back(TensorInfo{value.name, {}, holds_queries(value.dims)});
        for (Dim const& dim : value.dims) info.shape.push_back(dim.at(sizes));
    }
    return infos;
}

std::vector<TensorInfo> Engine::inputs(Sizes const& sizes) const {
    return infos_of(data_->graph, data_->graph.inputs, sizes);
}
std::vector<TensorInfo> Engine::outputs(Sizes const& sizes) const {
    return infos_of(data_->graph, data_->graph.outputs, sizes);
}

}  // namespace vitrum
