// SPDX-License-Identifier: Apache-2.0
#include "importers/onnx.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/buffer.h"
#include "convert.h"

namespace vitrum {
namespace {

/// A tensor where operators can read it: the mapped bytes themselves where they are aligned.
Constant constant_of(OnnxTensor const& tensor, std::shared_ptr<void const> const& storage) {
    auto const address = reinterpret_cast<std::uintptr_t>(tensor.bytes.data());
    if (address % size_of(tensor.dtype) == 0 && !tensor.bytes.empty()) {
        return {tensor.shape, reinterpret_cast<float const*>(tensor.bytes.data()), storage, tensor.dtype};
    }
    auto buffer = std::make_shared<Buffer>(std::max<std::size_t>(tensor.bytes.size(), 1));
    if (!tensor.bytes.empty()) std::memcpy(buffer->data(), tensor.bytes.data(), tensor.bytes.size());
    return {tensor.shape, buffer->floats(), buffer, tensor.dtype};
}

void collect(OnnxGraph const& graph, std::shared_ptr<void const> const& storage,
             std::map<OnnxTensor const*, Constant>& constants) {
    for (OnnxTensor const& tensor : graph.tensors) constants.emplace(&tensor, constant_of(tensor, storage));
    for (OnnxNode const& node : graph.nodes) {
        for (OnnxAttribute const& attribute : node.attributes) {
            if (attribute.graph) collect(*attribute.graph, storage, constants);
        }
    }
}

/// What stands at a place of [N, C, H, W], [C, H, W] or [H, W].
Symbol symbol_at(std::size_t place, std::size_t rank) {
    std::size_t const from_end = rank - place;
    if (rank >= 2 && from_end == 1) return Symbol::w;
    if (rank >= 2 && from_end == 2) return Symbol::h;
    return rank == 4 && place == 0 ? Symbol::n : Symbol::none;
}

std::int64_t& part(Sizes& sizes, Symbol symbol) {
    return symbol == Symbol::n ? sizes.n : symbol == Symbol::h ? sizes.h : sizes.w;
}

/// Nodes and values that outputs depend on, renumbered.
Graph pruned(Graph const& graph) {
    std::vector<bool> wanted(graph.values.size(), false);
    for (ValueId const id : graph.outputs) wanted[static_cast<std::size_t>(id)] = true;
    std::vector<bool> kept(graph.nodes.size(), false);
    for (std::size_t n = graph.nodes.size(); n-- > 0;) {
        auto const is_wanted = [&](ValueId id) { return wanted[static_cast<std::size_t>(id)]; };
        Node const& node = graph.nodes[n];
        if (std::ranges::none_of(node.outputs, is_wanted)) continue;
        kept[n] = true;
        for (ValueId const id : node.outputs) wanted[static_cast<std::size_t>(id)] = true;
        for (ValueId const id : node.inputs) {
            if (id != kNone) wanted[static_cast<std::size_t>(id)] = true;
        }
    }
    for (ValueId const id : graph.inputs) wanted[static_cast<std::size_t>(id)] = true;
    Graph result;
    std::vector<ValueId> places(graph.values.size(), kNone);
    for (std::size_t v = 0; v < wanted.size(); ++v) {
        if (!wanted[v]) continue;
        places[v] = static_cast<ValueId>(result.values.size());
        result.values.push_back(graph.values[v]);
    }
    auto const moved = [&](std::vector<ValueId> ids) {
        for (ValueId& id : ids) id = id == kNone ? kNone : places[static_cast<std::size_t>(id)];
        return ids;
    };
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
        Node const& node = graph.nodes[n];
        if (kept[n]) result.nodes.push_back({node.op, moved(node.inputs), moved(node.outputs), node.provenance});
    }
    result.inputs = moved(graph.inputs);
    result.outputs = moved(graph.outputs);
    return result;
}

}  // namespace

OnnxSource::OnnxSource(OnnxModel model, std::map<std::string, std::int64_t> settings)
    : model_(std::move(model)), settings_(std::move(settings)) {
    auto const storage = std::make_shared<std::vector<std::shared_ptr<void const>> const>(model_.storage);
    collect(model_.graph, storage, constants_);
    std::set<std::string, std::less<>> names;
    for (OnnxPort const& input : model_.graph.inputs) {
        for (OnnxDim const& dim : input.dims.value_or(std::vector<OnnxDim>{})) names.emplace(dim.name);
    }
    for (auto const& [name, value] : settings_) {
        if (names.contains(name) && value >= 1) continue;
        std::string known;
        for (auto const& one : names) known += one.empty() ? "" : " " + excerpt(one);
        fail_as(ErrorKind::usage, "{}: no extent is named \"{}\"; --set takes:{}", model_.path.string(), name,
                known.empty() ? " none" : known);
    }
}

/// Whether nothing but the caller tells how many arrays an input is.
static bool is_open(OnnxPort const& port) {
    return port.is_list || port.is_optional;
}

std::size_t OnnxSource::share(OnnxModel const& model, OnnxPort const& port, std::size_t arrays) {
    auto const& ports = model.graph.inputs;
    auto const open = static_cast<std::size_t>(std::ranges::count_if(ports, is_open));
    std::size_t const fixed = ports.size() - open;
    bool const one_at_most = std::ranges::none_of(ports, &OnnxPort::is_list);
    bool const fits = arrays >= fixed && (open > 0 || arrays == fixed) && (!one_at_most || arrays <= ports.size());
    if (!fits) fail_as(ErrorKind::usage, "{} takes {} inputs, not {}", model.path.string(), ports.size(), arrays);
    if (!is_open(port)) return 1;
    if (open == 1 || arrays == fixed) return arrays - fixed;
    if (one_at_most && arrays == ports.size()) return 1;
    fail_as(ErrorKind::usage, "{}: several inputs are lists or may be absent: which of them {} arrays are is not told",
            model.path.string(), arrays);
}

std::vector<DenseType> OnnxSource::inputs(Sizes const& sizes) const {
    std::map<std::string, std::int64_t, std::less<>> named(settings_.begin(), settings_.end());
    std::vector<DenseType> types;
    for (OnnxPort const& input : model_.graph.inputs) {
        std::string const label = excerpt(input.name);
        auto const file = model_.path.string();
        if (!input.dtype || !input.dims || is_open(input))
            fail("{}: input \"{}\" is no tensor of a known type and rank", file, label);
        if (input.dims->size() > Shape::kMaxRank)
            fail("{}: input \"{}\" has {} dimensions", file, label, input.dims->size());
        std::vector<std::int64_t> extents;
        for (std::size_t i = 0; i < input.dims->size(); ++i) {
            OnnxDim const& dim = (*input.dims)[i];
            Symbol const symbol = types.empty() ? symbol_at(i, input.dims->size()) : Symbol::none;
            std::int64_t extent = dim.extent;
            if (auto const known = named.find(dim.name); extent < 0 && !dim.name.empty() && known != named.end()) {
                extent = known->second;
            }
            Sizes wanted = sizes;
            std::int64_t const asked = symbol == Symbol::none ? -1 : part(wanted, symbol);
            if (extent < 0) extent = asked;
            if (extent < 0) {
                fail_as(ErrorKind::usage, "{}: extent {} of input \"{}\" is open; say it with --set {}=…", file, i,
                        label, dim.name.empty() ? "NAME" : excerpt(dim.name));
            }
            if (asked >= 0 && asked != extent) {
                fail_as(ErrorKind::usage, "{}: made for inputs of one size: extent {} of \"{}\" is {}, not {}", file, i,
                        label, extent, asked);
            }
            if (!dim.name.empty()) named.emplace(dim.name, extent);
            extents.push_back(extent);
        }
        types.push_back({*input.dtype, Shape(extents)});
    }
    return types;
}

/// An input as the file states it, an extent that it names with the name, for error texts.
static std::string stated(OnnxPort const& port) {
    std::string text;
    for (OnnxDim const& dim : *port.dims) {
        text += text.empty() ? "" : ", ";
        text += dim.extent >= 0 ? std::to_string(dim.extent) : dim.name.empty() ? "?" : excerpt(dim.name);
    }
    return "[" + text + "]";
}

DenseType OnnxSource::input(OnnxPort const& port, std::vector<std::int64_t> const& shape, Named& named) const {
    auto const file = model_.path.string();
    std::string const label = excerpt(port.name);
    if (!port.dtype) fail("{}: input \"{}\" is no tensor of a known type", file, label);
    if (shape.size() > Shape::kMaxRank) {
        fail_as(ErrorKind::usage, "{}: input \"{}\" has {} dimensions, of which at most {} are supported", file, label,
                shape.size(), Shape::kMaxRank);
    }
    DenseType const type{*port.dtype, Shape(shape)};
    if (!port.dims) return type;
    bool fits = port.dims->size() == shape.size();
    for (std::size_t i = 0; fits && i < shape.size(); ++i) {
        OnnxDim const& dim = (*port.dims)[i];
        std::int64_t wanted = dim.extent;
        if (wanted < 0 && !dim.name.empty()) wanted = named.emplace(dim.name, shape[i]).first->second;
        if (wanted >= 0) fits = wanted == shape[i];
    }
    if (fits) return type;
    std::string known;
    for (auto const& [name, extent] : named) {
        known += fmt::format("{}{} = {}", known.empty() ? "" : ", ", excerpt(name), extent);
    }
    fail_as(ErrorKind::usage, "{}: input \"{}\" is {}{}{}, but the array is {}", file, label, stated(port),
            known.empty() ? "" : " with ", known, type.shape.str());
}

std::vector<DenseType> OnnxSource::inputs(std::vector<std::vector<std::int64_t>> const& shapes) const {
    Named named(settings_.begin(), settings_.end());
    std::vector<DenseType> types;
    for (OnnxPort const& port : model_.graph.inputs) {
        for (std::size_t n = share(model_, port, shapes.size()); n > 0; --n) {
            types.push_back(input(port, shapes[types.size()], named));
        }
    }
    if (types.size() != shapes.size()) fail_as(ErrorKind::usage, "{} takes no input", model_.path.string());
    return types;
}

bool OnnxSource::follows_sizes() const {
    std::set<std::string_view> named;
    for (auto const& [name, extent] : settings_) named.insert(name);
    bool first = true;
    for (OnnxPort const& port : model_.graph.inputs) {
        if (!port.dims || is_open(port)) return false;
        for (std::size_t i = 0; i < port.dims->size(); ++i) {
            OnnxDim const& dim = (*port.dims)[i];
            bool const is_size = first && symbol_at(i, port.dims->size()) != Symbol::none;
            if (dim.extent < 0 && !is_size && !named.contains(dim.name)) return false;
            if (!dim.name.empty()) named.insert(dim.name);
        }
        first = false;
    }
    return true;
}

Sizes OnnxSource::allowed(Sizes const& wanted) const {
    Sizes sizes = wanted;
    if (model_.graph.inputs.empty() || !model_.graph.inputs.front().dims) return sizes;
    auto const& dims = *model_.graph.inputs.front().dims;
    for (std::size_t i = 0; i < dims.size(); ++i) {
        Symbol const symbol = symbol_at(i, dims.size());
        auto const set = settings_.find(std::string(dims[i].name));
        std::int64_t const extent = dims[i].extent < 0 && set != settings_.end() ? set->second : dims[i].extent;
        if (symbol != Symbol::none && extent > 0) part(sizes, symbol) = extent;
    }
    return sizes;
}

std::vector<Sizes> OnnxSource::traced_sizes() const {
    constexpr std::int64_t kMostNumbers = 16, kMostExtent = 1 << 12;
    std::set<std::pair<std::int64_t, std::int64_t>> pairs;
    auto const look = [&](Constant const& constant) {
        Shape const& shape = constant.shape;
        bool const is_small = shape.rank() > 0 && shape[shape.rank() - 1] == 2 && shape.count() <= kMostNumbers;
        if (!is_small || (constant.dtype != DType::i64 && constant.dtype != DType::f32)) return;
        for (std::int64_t i = 0; i + 1 < shape.count(); i += 2) {
            auto const number = [&](std::int64_t at) {
                if (constant.dtype == DType::f32) return static_cast<double>(constant.data[at]);
                return static_cast<double>(reinterpret_cast<std::int64_t const*>(constant.data)[at]);
            };
            double const a = number(i), b = number(i + 1);
            auto const is_extent = [](double x) { return x >= 1 && x <= kMostExtent && x == std::floor(x); };
            if (!is_extent(a) || !is_extent(b)) continue;
            pairs.emplace(static_cast<std::int64_t>(a), static_cast<std::int64_t>(b));
        }
    };
    std::shared_ptr<void const> const mapped(std::shared_ptr<void const>(), this);  // used in this function only
    for (auto const& [tensor, constant] : constants_) look(constant);
    for (OnnxNode const& node : model_.graph.nodes) {
        auto const* const value = node.op == "Constant" ? node.attribute("value") : nullptr;
        if (value != nullptr && value->tensor) look(constant_of(*value->tensor, mapped));
    }
    std::vector<Sizes> sizes;
    for (auto const& [a, b] : pairs) {
        if (!pairs.contains({2 * a, 2 * b}) || !pairs.contains({4 * a, 4 * b})) continue;
        sizes.push_back({1, 32 * a, 32 * b});
        if (a != b) sizes.push_back({1, 32 * b, 32 * a});  // some hold width first
    }
    return sizes;
}

bool OnnxSource::is_picture(DenseType const& type, Edges edges) {
    bool const fits = type.dtype == DType::f32 && type.shape.rank() == 4 && type.shape.count() > 0;
    return fits && edges == Edges::pixels;
}

std::int64_t OnnxSource::parameters() const {
    std::int64_t total = 0;
    for (OnnxTensor const& tensor : model_.graph.tensors) total += tensor.shape.count();
    return total;
}

std::map<std::string, Constant> OnnxSource::named_tensors() const {
    std::map<std::string, Constant> named;
    for (OnnxTensor const& tensor : model_.graph.tensors) named.emplace(tensor.name, constants_.at(&tensor));
    for (OnnxNode const& node : model_.graph.nodes) {
        if (node.op != "Identity" || node.inputs.size() != 1 || node.outputs.size() != 1) continue;
        auto const original = named.find(std::string(node.inputs[0]));
        if (original != named.end()) named.emplace(node.outputs[0], original->second);
    }
    return named;
}

Graph OnnxSource::graph(std::vector<DenseType> const& inputs, Backend const& evaluator, Edges edges,
                        Known const& known) const {
    onnx::Builder builder(evaluator, model_.path.string());
    onnx::Converter converter(builder, model_, constants_);
    return pruned(converter.convert(inputs, edges, known));
}

OnnxSource::Traced OnnxSource::trace(std::vector<DenseType> const& inputs, Backend const& evaluator) const {
    onnx::Builder builder(evaluator, model_.path.string());
    onnx::Converter converter(builder, model_, constants_);
    Graph graph = pruned(converter.convert(inputs, Edges::pixels, {}));
    return {std::move(graph), converter.reads()};
}

}  // namespace vitrum
