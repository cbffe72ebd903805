// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <set>

#include "base/check.h"
#include "base/threads.h"
#include "cpu/backend.h"
#include "engine/engine_data.h"
#include "engine_file.h"
#include "host_memory.h"
#include "loader/cuda.h"
#include "models/model_data.h"
#include "onnx_engine.h"
#include "onnx_info.h"
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
        case Device::cuda: return open_cuda_backend(options.device_index);
    }
    VITRUM_ASSERT(false);
}

CompileOptions resolved(CompileOptions options) {
    constexpr int kMaxThreads = 1024;
    if (options.threads < 0 || options.threads > kMaxThreads) {
        fail_as(ErrorKind::usage, "{} threads: 1 to {} can be used, 0 for all cores", options.threads, kMaxThreads);
    }
    if (options.threads == 0) options.threads = available_cores();
    if (options.device == Device::cuda && !options.isa.empty()) {
        fail_as(ErrorKind::usage, "an instruction set ({}) can be chosen for the CPU only", options.isa);
    }
    if (!options.precision) options.precision = Precision::fp32;
    if (options.device != Device::cuda && options.precision != Precision::fp32) {
        fail_as(ErrorKind::usage,
                "precision {}: the device {} computes in fp32 only; others need a GPU (--device cuda)",
                name_of(*options.precision), device_name(options));
    }
    return options;
}

/// A host's kernels want a few tiles for each thread, a GPU's as many as there can be.
std::size_t strip_bytes_for(Memory const& memory, CompileOptions const& options) {
    constexpr std::size_t kPerThread = std::size_t{4} << 20;
    if (!memory.is_host()) return kStripBytes;
    return std::min(kStripBytes, kPerThread * static_cast<std::size_t>(std::max(options.threads, 2)));
}

}  // namespace

Engine::Data::Data(ModelInfo model_info, Graph optimised, CompileOptions compile_options,
                   std::shared_ptr<Backend const> chosen)
    : info(std::move(model_info)),
      options(resolved(std::move(compile_options))),
      backend(chosen ? std::move(chosen) : make_backend(options)),
      only(with_weights(std::move(optimised))),
      strip_bytes(strip_bytes_for(memory(), options)) {}

Engine::Data::Data(ModelInfo model_info, std::shared_ptr<OnnxSource const> onnx_source, CompileOptions compile_options,
                   std::shared_ptr<Backend const> chosen)
    : info(std::move(model_info)),
      options(resolved(std::move(compile_options))),
      backend(chosen ? std::move(chosen) : make_backend(options)),
      onnx(std::move(onnx_source)),
      strip_bytes(strip_bytes_for(memory(), options)) {}

Engine::Data::~Data() = default;

Memory& Engine::Data::memory() const {
    return memory_of(*backend);
}

Engine::Data::Prepared Engine::Data::with_weights(Graph graph) const {
    auto kept = std::make_shared<Graph const>(std::move(graph));
    auto packed = std::make_shared<PackedWeights>(memory(), *kept);
    return {std::move(kept), std::move(packed)};
}

Engine::Data::Types Engine::Data::types_of(InputShapes const& shapes) const {
    if (onnx) return onnx->inputs(shapes.each());
    fail_as(ErrorKind::usage, "{} takes pictures: it is prepared for a batch, a height and a width", info.variant);
}

Engine::Data::Prepared Engine::Data::prepared(Sizes const& sizes) {
    if (!onnx) return only;
    Types const inputs = onnx->inputs(sizes);
    std::scoped_lock const lock(mutex_);
    return prepared_unlocked(inputs);
}

Engine::Data::Prepared Engine::Data::prepared(InputShapes const& shapes) {
    Types const inputs = types_of(shapes);
    std::scoped_lock const lock(mutex_);
    return prepared_unlocked(inputs);
}

Engine::Data::Prepared Engine::Data::prepared_unlocked(Types const& inputs) {
    auto const found = std::ranges::find(graphs_, inputs, [](auto const& entry) { return entry.first; });
    if (found != graphs_.end()) {
        graphs_.splice(graphs_.begin(), graphs_, found);
    } else {
        Graph graph = optimise(onnx->graph(inputs, *make_reference_backend(), OnnxSource::Edges::pixels));
        graphs_.push_front({inputs, with_weights(std::move(graph))});
        if (graphs_.size() > kOnnxGraphsKept) graphs_.pop_back();
    }
    return graphs_.front().second;
}

std::shared_ptr<Engine::Data> Engine::Data::with(CompileOptions const& other,
                                                 std::shared_ptr<Backend const> chosen) const {
    if (onnx) {
        auto made = std::make_shared<Data>(info, onnx, other, std::move(chosen));
        made->onnx_settings = onnx_settings;
        return made;
    }
    return std::make_shared<Data>(info, *only.graph, other, std::move(chosen));
}

std::shared_ptr<Program const> Engine::Data::program(Sizes const& sizes) {
    if (auto const violation = size_violation(info, sizes); !violation.empty()) throw Error(violation);
    return program(prepared(sizes), sizes);
}

std::shared_ptr<Program const> Engine::Data::program(InputShapes const& shapes) {
    return program(prepared(shapes), {});  // all extents of such a graph are known
}

/// Programs are made outside of the lock, since sessions side by side need those of different sizes at once. Of two
/// that are made for one size, the first is kept.
std::shared_ptr<Program const> Engine::Data::program(Prepared const& from, Sizes const& sizes) {
    auto const kept = [&] {
        auto const found = std::ranges::find_if(
            programs_, [&](Kept const& each) { return each.graph == from.graph.get() && each.sizes == sizes; });
        if (found == programs_.end()) return false;
        programs_.splice(programs_.begin(), programs_, found);
        return true;
    };
    std::list<Kept> forgotten;  // goes without the lock
    std::unique_lock lock(mutex_);
    if (kept()) return programs_.front().program;
    lock.unlock();
    auto made = make(from, sizes, *options.precision);
    lock.lock();
    if (!kept()) {
        kept_bytes_ += made->own_bytes;
        programs_.push_front({from.graph.get(), sizes, std::move(made)});
        forgotten = forget_least_used();
    }
    return programs_.front().program;
}

/// Programs take a quarter of a megabyte: those of a folder of differently sized pictures are kept. One of an ONNX file
/// keeps its graph alive.
std::list<Engine::Data::Kept> Engine::Data::forget_least_used() {
    std::list<Kept> forgotten;
    std::size_t const newest = programs_.front().program->own_bytes;
    while (programs_.size() > 1 &&
           (kept_bytes_ - newest > program_bytes || (onnx && programs_.size() > kOnnxGraphsKept))) {
        kept_bytes_ -= programs_.back().program->own_bytes;
        forgotten.splice(forgotten.begin(), programs_, std::prev(programs_.end()));
    }
    return forgotten;
}

std::shared_ptr<Program const> Engine::Data::make(Prepared const& prepared, Sizes const& sizes,
                                                  Precision precision) const {
    auto made = std::make_shared<Program>(
        make_program(*prepared.graph, *backend, sizes, options.threads, precision, strip_bytes));
    made->graph = prepared.graph;
    made->packed = prepared.packed;
    return made;
}

std::shared_ptr<Program const> Engine::Data::more_exact(Program const& program) {
    if (program.precision == Precision::fp32) return nullptr;
    auto const next = program.precision == Precision::tf32 ? Precision::fp32 : Precision::tf32;
    // Packed weights are known by their kind, so that one store serves all precisions.
    std::scoped_lock const lock(mutex_);
    if (!program.more_exact) program.more_exact = make({program.graph, program.packed}, program.sizes, next);
    return program.more_exact;
}

std::size_t Engine::Data::largest_arena_bytes(Sizes const& sizes) {
    std::size_t largest = 0;
    for (auto at = program(sizes); at; at = more_exact(*at)) largest = std::max(largest, at->arena_bytes);
    return largest;
}

Engine Engine::compile(Model const& model, CompileOptions const& options) {
    return Engine(std::make_shared<Data>(model.info(), optimise(model.data().build_graph()), options));
}

Engine Engine::load(std::filesystem::path const& path, CompileOptions const& options) {
    EngineFile file = read_engine_file(path);
    if (options.precision.value_or(file.precision) != file.precision) {
        fail_as(
            ErrorKind::usage,
            "{} was compiled for {}, and {} is asked for: compile the model for that, or leave the choice to the file",
            path.string(), name_of(file.precision), name_of(*options.precision));
    }
    CompileOptions as_compiled = options;
    as_compiled.precision = file.precision;
    if (file.onnx) return Engine(load_onnx(std::move(*file.onnx), path, as_compiled));
    return Engine(std::make_shared<Data>(std::move(file.info), std::move(file.graph), as_compiled));
}

Engine Engine::open(std::filesystem::path const& path, CompileOptions const& options, Overrides const& overrides) {
    if (is_onnx_file(path)) return Engine(open_onnx(path, options, overrides));
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
    options.precision = std::nullopt;
    return Engine(data_->with(options));
}

Engine Engine::in_precision(Precision precision) const {
    if (precision == this->precision()) return *this;
    CompileOptions options = data_->options;
    options.precision = precision;
    return Engine(data_->with(options, data_->backend));
}

void Engine::save(std::filesystem::path const& path) const {
    if (data_->onnx) return write_engine_file(path, {.precision = precision(), .onnx = stored(*data_)});
    write_engine_file(path, {data_->info, *data_->only.graph, precision()});
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
Precision Engine::precision() const {
    return *data_->options.precision;
}
std::string Engine::graph_text(Sizes const& sizes) const {
    return print(*data_->prepared(sizes).graph);
}
double Engine::flops(Sizes const& sizes) const {
    return vitrum::flops(*data_->prepared(sizes).graph, sizes);
}
std::size_t Engine::arena_bytes(Sizes const& sizes) const {
    return data_->program(sizes)->arena_bytes;
}

std::size_t Engine::weight_bytes() const {
    if (data_->onnx) return static_cast<std::size_t>(data_->onnx->parameters()) * sizeof(float);
    return static_cast<std::size_t>(parameter_count(*data_->only.graph)) * sizeof(float) + data_->only.packed->bytes();
}

std::shared_ptr<std::byte> Engine::allocate(std::size_t bytes) const {
    struct Held {
        std::shared_ptr<Data> engine;  // first, since memory must not outlive its device
        Block block;
    };
    auto const held = std::make_shared<Held>(data_, data_->memory().allocate(bytes));
    return {held, held->block.data()};
}

std::vector<KernelChoice> Engine::explain(Sizes const& sizes) const {
    std::vector<KernelChoice> choices;
    auto const program = data_->program(sizes);
    std::set<Node const*> seen;  // strips repeat nodes
    for (Step const& step : program->steps) {
        if (!seen.insert(step.node).second) continue;
        KernelChoice choice{.op = std::string(name_of(step.node->op)),
                            .provenance = step.node->provenance,
                            .kernel = std::string(step.selection.kernel),
                            .refusals = {}};
        if (step.chain.steps > 0) {
            choice.kernel += fmt::format(", with the next {} {}", step.chain.steps - 1, step.chain.name);
        }
        for (Refusal const& refusal : step.selection.refusals) {
            choice.refusals.push_back(fmt::format("{}: {}", refusal.kernel, refusal.why));
        }
        choices.push_back(std::move(choice));
    }
    return choices;
}

/// Queries lie in one row whose length no picture's size changes. (ONNX graphs have none: all their extents are known.)
static bool holds_queries(std::vector<Dim> const& dims) {
    return dims.size() == 4 && !dims[0].is_constant() && dims[1] == Dim(1) && dims[2].is_constant();
}

static std::vector<TensorInfo> infos_of(Graph const& graph, std::vector<ValueId> const& ids, Sizes const& sizes) {
    std::vector<TensorInfo> infos;
    for (ValueId const id : ids) {
        Value const& value = graph.value(id);
        auto& info = infos.emplace_back(TensorInfo{.name = value.name,
                                                   .shape = {},
                                                   .queries = holds_queries(value.dims),
                                                   .dtype = std::string(name_of(value.dtype)),
                                                   .as_stated = value.layout == Layout::dense});
        for (Dim const& dim : value.dims) info.shape.push_back(dim.at(sizes));
    }
    return infos;
}

/// Without a graph, which a network may not have at every size that one asks about.
static std::vector<TensorInfo> onnx_inputs(OnnxSource const& source, std::vector<DenseType> const& types) {
    std::vector<TensorInfo> infos;
    auto const& ports = source.model().graph.inputs;
    for (DenseType const& type : types) {
        bool const is_picture = OnnxSource::is_picture(type, OnnxSource::Edges::pixels);
        auto& info = infos.emplace_back(TensorInfo{.name = std::string(ports[infos.size()].name),
                                                   .shape = {type.shape.begin(), type.shape.end()},
                                                   .dtype = std::string(name_of(type.dtype)),
                                                   .as_stated = !is_picture});
        if (is_picture) info.shape = {type.shape[0], type.shape[2], type.shape[3], type.shape[1]};
    }
    return infos;
}

std::vector<TensorInfo> Engine::inputs(Sizes const& sizes) const {
    if (data_->onnx) return onnx_inputs(*data_->onnx, data_->onnx->inputs(data_->onnx->allowed(sizes)));
    auto const graph = data_->prepared(sizes).graph;
    return infos_of(*graph, graph->inputs, sizes);
}
std::vector<TensorInfo> Engine::outputs(Sizes const& sizes) const {
    auto const graph = data_->prepared(sizes).graph;
    return infos_of(*graph, graph->outputs, sizes);
}
std::vector<TensorInfo> Engine::inputs(InputShapes const& shapes) const {
    auto const graph = data_->prepared(shapes).graph;
    return infos_of(*graph, graph->inputs, {});
}
std::vector<TensorInfo> Engine::outputs(InputShapes const& shapes) const {
    auto const graph = data_->prepared(shapes).graph;
    return infos_of(*graph, graph->outputs, {});
}

std::vector<TensorInfo> Engine::declared_inputs() const {
    std::vector<TensorInfo> infos;
    if (data_->onnx) {
        for (OnnxPort const& port : data_->onnx->model().graph.inputs) {
            auto& info = infos.emplace_back(TensorInfo{.name = std::string(port.name), .shape = {}});
            if (port.dtype) info.dtype = std::string(vitrum::name_of(*port.dtype));
        }
        return infos;
    }
    infos = inputs({});
    for (TensorInfo& info : infos) info.shape.clear();
    return infos;
}

}  // namespace vitrum
