// SPDX-License-Identifier: Apache-2.0
#include "convert.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <fmt/ranges.h>

namespace vitrum::onnx {
namespace {

// What no model needs: nested functions and branches, and nodes after all loops are unrolled.
constexpr int kMaxDepth = 32;
constexpr std::int64_t kMaxSteps = 2'000'000;

}  // namespace

NamedRule const* find_rule(std::string_view op) {
    static auto const rules = [] {
        std::unordered_map<std::string_view, NamedRule const*> all;
        for (auto const part : {attention_rules(), elementwise_rules(), list_rules(), shape_rules(), index_rules(),
                                reduce_rules(), product_rules(), einsum_rules(), resize_rules(), quantise_rules()}) {
            for (NamedRule const& rule : part) all.emplace(rule.op, &rule);
        }
        return all;
    }();
    auto const found = rules.find(op);
    return found == rules.end() ? nullptr : found->second;
}

ValueId Converter::add_input(std::string name, DenseType const& type, OnnxSource::Edges edges) {
    if (!OnnxSource::is_picture(type, edges)) return b_.graph.add_dense_input(name, type);
    Shape const& s = type.shape;
    return b_.emit_on_pixels(b_.graph.add_input(name, {s[0], s[2], s[3], s[1]}));
}

/// A list of tensors is one input for each.
ValueId Converter::add_list(OnnxPort const& port, std::span<DenseType const> types, OnnxSource::Edges edges) {
    std::vector<ValueId> items;
    for (DenseType const& type : types) {
        items.push_back(add_input(fmt::format("{}[{}]", port.name, items.size()), type, edges));
    }
    return b_.list(std::move(items));
}

/// Every output is a value of its own, also where it is an input, a constant or another output. A list is one output
/// for each of its values, and an absent value none.
void Converter::add_output(ValueId made, std::string_view name, OnnxSource::Edges edges) {
    if (made == kNone) return;
    if (Builder::is_list(made)) {
        std::vector<ValueId> const items = b_.items(made);
        for (std::size_t i = 0; i < items.size(); ++i) add_output(items[i], fmt::format("{}[{}]", name, i), edges);
        return;
    }
    auto const is_own = [&](ValueId id) {
        return id != kNone && !b_.is_known(id) && std::ranges::count(b_.graph.inputs, id) == 0 &&
               std::ranges::count(b_.graph.outputs, id) == 0;
    };
    b_.enter("the graph", "");
    DenseType const type = b_.type(made);
    if (type.dtype == DType::text) b_.refuse("strings, as the output {} is, are compared only", excerpt(name));
    if (OnnxSource::is_picture(type, edges)) {
        ValueId const behind = b_.pixels_behind(made);
        ValueId const source = b_.is_known(made) ? b_.copied(made) : made;
        return b_.graph.add_output(std::string(name), is_own(behind) ? behind : b_.graph.add(ToPixels{}, {source}, ""));
    }
    b_.graph.add_output(std::string(name), is_own(made) ? made : b_.copied(made));
}

Graph Converter::convert(std::vector<DenseType> const& inputs, OnnxSource::Edges edges,
                         OnnxSource::Known const& known) {
    Scope scope;
    auto rest = std::span(inputs);
    for (OnnxPort const& port : model_.graph.inputs) {
        std::size_t const count = OnnxSource::share(model_, port, inputs.size());
        auto const own = rest.first(count);
        rest = rest.subspan(count);
        auto const number = known.find(port.name);
        ValueId& id = scope.values[port.name] = kNone;
        if (port.is_list && (count > 0 || !port.is_optional)) id = add_list(port, own, edges);
        else if (count > 0) id = add_input(std::string(port.name), own.front(), edges);
        if (number != known.end()) id = b_.constant(number->second);
    }
    VITRUM_ASSERT(rest.empty());
    std::size_t index = 0;
    for (ValueId const made : run_graph(model_.graph, scope))
        add_output(made, model_.graph.outputs[index++].name, edges);
    if (b_.graph.outputs.empty()) fail("{}: all outputs are absent or empty", model_.path.string());
    return std::move(b_.graph);
}

ValueId Converter::find(Scope const& scope, std::string_view name) const {
    for (Scope const* at = &scope; at != nullptr; at = at->outer) {
        if (auto const found = at->values.find(name); found != at->values.end()) return found->second;
    }
    b_.refuse("nothing makes \"{}\"", name);
}

std::vector<ValueId> Converter::run_graph(OnnxGraph const& graph, Scope& scope) {
    if (++depth_ > kMaxDepth) b_.refuse("graphs inside of graphs, more than {} deep", kMaxDepth);
    for (OnnxTensor const& tensor : graph.tensors) {
        scope.values[tensor.name] = b_.graph.add_constant(std::string(tensor.name), constants_.at(&tensor));
    }
    run(graph.nodes, scope, nullptr);
    std::vector<ValueId> results;
    for (OnnxPort const& output : graph.outputs) results.push_back(find(scope, output.name));
    --depth_;
    return results;
}

/// `arguments`: inside a function, the attributes of its call, to which its nodes may refer.
void Converter::run(std::vector<OnnxNode> const& nodes, Scope& scope, Attributes const* arguments) {
    for (OnnxNode const& node : nodes) {
        bool const refers = arguments != nullptr && std::ranges::any_of(node.attributes, [](OnnxAttribute const& a) {
                                return !a.refers_to.empty();
                            });
        if (!refers) {
            run(node, scope);
            continue;
        }
        OnnxNode bound = node;
        bound.attributes.clear();
        for (OnnxAttribute const& attribute : node.attributes) {
            auto const given = std::ranges::find(*arguments, attribute.refers_to, &OnnxAttribute::name);
            if (attribute.refers_to.empty()) bound.attributes.push_back(attribute);
            else if (given != arguments->end()) bound.attributes.push_back(*given);
            else continue;
            bound.attributes.back().name = attribute.name;
        }
        run(bound, scope);
    }
}

void Converter::note_reads(OnnxNode const& node, std::vector<ValueId> const& inputs) {
    // An Identity gives another name; an InstanceNormalization has the ones and zeros of a spelled-out group norm.
    if (node.op == "Identity" || node.op == "InstanceNormalization") return;
    auto const* const turned = node.attribute("transB");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i] == kNone || !b_.is_known(inputs[i])) continue;
        Value const& value = b_.graph.value(inputs[i]);
        Constant const& constant = *value.constant;
        if (constant.dtype != DType::f32 || constant.shape.count() == 0) continue;
        auto role = ConstantRead::Role::other;
        if (i == 1 && constant.shape.rank() == 2 && (node.op == "MatMul" || node.op == "Gemm")) {
            bool const is_turned = turned != nullptr && turned->integer == 1;
            role = is_turned ? ConstantRead::Role::transposed_matrix : ConstantRead::Role::matrix;
        }
        if (node.op == "Conv" && i > 0) role = i == 1 ? ConstantRead::Role::filter : ConstantRead::Role::filter_bias;
        reads_.push_back({.name = value.name, .node = std::string(node.name), .constant = constant, .role = role});
    }
}

void Converter::run(OnnxNode const& node, Scope& scope) {
    b_.enter(node.label(), std::string(node.name.empty() ? node.op : node.name));
    if (++steps_ > kMaxSteps) b_.refuse("more than {} operators after loops are unrolled", kMaxSteps);
    std::vector<ValueId> inputs;
    for (auto const name : node.inputs) inputs.push_back(name.empty() ? kNone : find(scope, name));
    note_reads(node, inputs);
    auto const results = results_of(node, std::move(inputs), scope);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        if (node.outputs[i].empty()) continue;
        if (i >= results.size()) b_.refuse("its output {} is not supported", i);
        ValueId made = results[i];
        // Exporters store equal parameters once, and so give the others their names.
        if (node.op == "Identity" && b_.is_known(made)) {
            made = b_.graph.add_constant(std::string(node.outputs[i]), *b_.graph.value(made).constant);
        }
        scope.values[node.outputs[i]] = made;
    }
}

/// Names every operator of the file that no rule is for: whoever is to replace one wants to know of all.
void Converter::refuse_operators(OnnxNode const& node) const {
    std::set<std::string_view> missing = {node.op};
    for (OnnxNode const& other : model_.graph.nodes) {
        bool const is_function =
            std::ranges::find(model_.functions, other.op, &OnnxFunction::name) != model_.functions.end();
        bool const is_control = other.op == "If" || other.op == "Loop";
        if (other.domain.empty() && !is_function && !is_control && find_rule(other.op) == nullptr)
            missing.insert(other.op);
    }
    if (missing.size() == 1) b_.refuse("the operator {} is not supported", excerpt(node.op));
    b_.refuse("the operators {} are not supported", fmt::join(missing, ", "));
}

std::vector<ValueId> Converter::results_of(OnnxNode const& node, std::vector<ValueId> inputs, Scope& scope) {
    Call const call{b_, node, opset_, std::move(inputs)};
    auto const own = std::ranges::find_if(model_.functions, [&](OnnxFunction const& f) {
        return f.name == node.op && (f.domain == node.domain || (node.domain.empty() && f.domain == "ai.onnx"));
    });
    if (own != model_.functions.end()) return call_function(*own, call);
    if (!node.domain.empty()) b_.refuse("operators of the domain \"{}\" are not known", node.domain);
    NamedRule const* const named = find_rule(node.op);
    std::int64_t const since = named == nullptr ? NamedRule{}.since : named->since;
    if (opset_ < since) {
        b_.refuse(
            "{} of version {} of ONNX's operators (opset) is not known, but that of version {} on is: export the "
            "model again with opset_version=17",
            excerpt(node.op), opset_, since);
    }
    if (node.op == "If") return branch(call, scope);
    if (node.op == "Loop") return loop(call, scope);
    if (named == nullptr) refuse_operators(node);
    try {
        return named->rule(call);
    } catch (std::out_of_range const&) {
        b_.refuse("an operand has fewer numbers or dimensions than it needs");
    }
}

OnnxGraph const& Converter::graph_attribute(Call const& call, std::string_view name) const {
    auto const* const attribute = call.node.attribute(name);
    if (attribute == nullptr || !attribute->graph) b_.refuse("has no {}", name);
    return *attribute->graph;
}

std::vector<ValueId> Converter::branch(Call const& call, Scope& scope) {
    bool const condition = b_.integers(call.in(0), "condition").at(0) != 0;
    Scope inner{{}, &scope};
    return run_graph(graph_attribute(call, condition ? "then_branch" : "else_branch"), inner);
}

std::vector<ValueId> Converter::loop(Call const& call, Scope& scope) {
    OnnxGraph const& body = graph_attribute(call, "body");
    std::int64_t const count = call.has(0) ? b_.integers(call.in(0), "trip count").at(0) : kMaxSteps;
    bool goes_on = !call.has(1) || b_.integers(call.in(1), "condition").at(0) != 0;
    std::vector<ValueId> carried(call.inputs.begin() + std::min<std::ptrdiff_t>(2, std::ssize(call.inputs)),
                                 call.inputs.end());
    std::size_t const kept = carried.size();
    if (body.inputs.size() != kept + 2 || body.outputs.size() < kept + 1) b_.refuse("its body has other inputs");
    std::vector<std::vector<ValueId>> scanned(body.outputs.size() - kept - 1);
    for (std::int64_t i = 0; i < count && goes_on; ++i) {
        Scope inner{{}, &scope};
        inner.values[body.inputs[0].name] = b_.integers_constant({}, std::span(&i, 1));
        inner.values[body.inputs[1].name] = b_.scalar(DType::boolean, 1);
        for (std::size_t k = 0; k < kept; ++k) inner.values[body.inputs[k + 2].name] = carried[k];
        auto const results = run_graph(body, inner);
        b_.enter(call.node.label(), std::string(call.node.name));
        goes_on = b_.integers(results[0], "condition").at(0) != 0;
        for (std::size_t k = 0; k < kept; ++k) carried[k] = results[k + 1];
        for (std::size_t k = 0; k < scanned.size(); ++k) {
            std::vector<std::int64_t> extents{1};
            Shape const shape = b_.shape(results[k + kept + 1]);
            extents.insert(extents.end(), shape.begin(), shape.end());
            if (extents.size() > Shape::kMaxRank) b_.refuse("too many dimensions");
            scanned[k].push_back(b_.reshape(results[k + kept + 1], Shape(extents)));
        }
    }
    for (auto const& parts : scanned) {
        if (parts.empty()) b_.refuse("a loop that collects results and never runs is not supported");
        carried.push_back(b_.concat(parts, 0));
    }
    return carried;
}

std::vector<ValueId> Converter::call_function(OnnxFunction const& function, Call const& call) {
    if (++depth_ > kMaxDepth) b_.refuse("functions inside of functions, more than {} deep", kMaxDepth);
    Scope inner;
    for (std::size_t i = 0; i < function.inputs.size(); ++i) {
        inner.values[function.inputs[i]] = i < call.inputs.size() ? call.inputs[i] : kNone;
    }
    Attributes arguments = call.node.attributes;
    for (OnnxAttribute const& otherwise : function.defaults) {
        if (std::ranges::find(arguments, otherwise.name, &OnnxAttribute::name) == arguments.end()) {
            arguments.push_back(otherwise);
        }
    }
    run(function.nodes, inner, &arguments);
    std::vector<ValueId> results;
    for (auto const output : function.outputs) results.push_back(find(inner, output));
    --depth_;
    return results;
}

}  // namespace vitrum::onnx
