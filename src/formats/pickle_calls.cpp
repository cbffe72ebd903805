// SPDX-License-Identifier: Apache-2.0
#include "pickle_calls.h"

#include <algorithm>

#include "formats/text.h"

namespace vitrum::pickle {
namespace {

/// One call in progress.
struct Call {
    Document& document;
    Budget& budget;
    Global callee;
    Arguments arguments;
    Where const& where;

    [[noreturn]] void bad_arguments() const { where.damaged("{}() has arguments that make no sense", callee.name); }
    void need(std::size_t count) const {
        if (arguments.size() < count) bad_arguments();
    }
    Value new_container(ContainerKind kind, std::vector<Value> items) const {
        document.containers.push_back({kind, std::move(items)});
        return ContainerRef{static_cast<std::uint32_t>(document.containers.size() - 1)};
    }
    Value new_tensor(Tensor const& tensor) const {
        document.tensors.push_back(tensor);
        return TensorRef{static_cast<std::uint32_t>(document.tensors.size() - 1)};
    }
};

/// Whether the `metadata` argument asks for a lazily conjugated or negated tensor.
bool is_lazy(Call const& call, std::size_t argument) {
    if (call.arguments.size() <= argument) return false;
    auto const* const metadata = call.document.container(call.arguments[argument], ContainerKind::dict);
    if (metadata == nullptr) return false;
    auto const is_true = [](Value const& value) {
        return std::holds_alternative<bool>(value) && std::get<bool>(value);
    };
    return std::ranges::any_of(metadata->items, is_true);
}

Value rebuild_tensor(Call const& call) {
    call.need(4);
    auto const* const storage = std::get_if<StorageRef>(&call.arguments[0]);
    if (storage == nullptr) call.bad_arguments();
    if (is_lazy(call, 6)) return Unsupported{"a lazily conjugated or negated tensor", call.where.byte};
    return call.new_tensor({*storage, call.arguments[1], call.arguments[2], call.arguments[3], {}, call.where.byte});
}

Value rebuild_tensor_v3(Call const& call) {
    call.need(7);
    auto const* const storage = std::get_if<StorageRef>(&call.arguments[0]);
    auto const* const dtype = std::get_if<Global>(&call.arguments[6]);
    if (storage == nullptr || dtype == nullptr || dtype->callee != Callee::torch_dtype) call.bad_arguments();
    if (is_lazy(call, 7)) return Unsupported{"a lazily conjugated or negated tensor", call.where.byte};
    return call.new_tensor(
        {*storage, call.arguments[1], call.arguments[2], call.arguments[3], dtype->name, call.where.byte});
}

Value rebuild_parameter(Call const& call) {
    call.need(1);
    Value const& data = call.arguments[0];
    if (!std::holds_alternative<TensorRef>(data) && !std::holds_alternative<Unsupported>(data)) call.bad_arguments();
    return data;
}

Value rebuild_from_type(Call const& call) {
    call.need(3);
    auto const* const function = std::get_if<Global>(&call.arguments[0]);
    auto const* const type = std::get_if<Global>(&call.arguments[1]);
    auto const* const inner = call.document.container(call.arguments[2], ContainerKind::tuple);
    if (function == nullptr || type == nullptr || inner == nullptr) call.bad_arguments();
    if (type->callee != Callee::tensor_type) call.bad_arguments();
    Call const rebuild{call.document, call.budget, *function, inner->items, call.where};
    switch (function->callee) {
        case Callee::rebuild_tensor: return rebuild_tensor(rebuild);
        case Callee::rebuild_tensor_v3: return rebuild_tensor_v3(rebuild);
        case Callee::rebuild_parameter: return rebuild_parameter(rebuild);
        case Callee::rebuild_unsupported: return Unsupported{function->name, call.where.byte};
        default: call.bad_arguments();
    }
}

/// list(items), tuple(items), set(items).
Value copy_sequence(Call const& call, ContainerKind kind) {
    if (call.arguments.empty()) return call.new_container(kind, {});
    auto const* const from = call.document.container(call.arguments[0]);
    if (from == nullptr || from->kind == ContainerKind::dict) call.bad_arguments();
    // A copy costs more than the few bytes that ask for it.
    call.budget.spend_values(from->items.size(), call.where);
    return call.new_container(kind, from->items);
}

/// dict(), dict(other), OrderedDict([(key, value), ...]).
Value copy_dict(Call const& call) {
    if (call.arguments.empty()) return call.new_container(ContainerKind::dict, {});
    auto const* const from = call.document.container(call.arguments[0]);
    if (from == nullptr) call.bad_arguments();
    call.budget.spend_values(2 * from->items.size(), call.where);
    if (from->kind == ContainerKind::dict) return call.new_container(ContainerKind::dict, from->items);
    std::vector<Value> items;
    for (Value const& value : from->items) {
        auto const* const pair = call.document.container(value);
        if (pair == nullptr || pair->kind == ContainerKind::dict || pair->items.size() != 2) call.bad_arguments();
        items.insert(items.end(), pair->items.begin(), pair->items.end());
    }
    return call.new_container(ContainerKind::dict, std::move(items));
}

Value default_dict(Call const& call) {
    Call rest = call;
    if (!rest.arguments.empty()) rest.arguments = rest.arguments.subspan(1);  // the factory makes no value here
    return copy_dict(rest);
}

/// Text whose code points are the bytes: protocol 2 has no bytes literal.
Value encode_latin1(Call const& call) {
    call.need(2);
    auto const* const text = std::get_if<Text>(&call.arguments[0]);
    auto const* const codec = std::get_if<Text>(&call.arguments[1]);
    if (text == nullptr || codec == nullptr || (codec->chars != "latin1" && codec->chars != "latin-1")) {
        call.bad_arguments();
    }
    call.budget.spend_bytes(text->chars.size(), call.where);
    std::string bytes;
    bytes.reserve(text->chars.size());
    for (std::size_t at = 0; at < text->chars.size();) {
        auto const code_point = next_code_point(text->chars, at);
        if (!code_point || *code_point > 0xFF) call.where.damaged("{}() of text that is not Latin-1", call.callee.name);
        bytes.push_back(static_cast<char>(*code_point));
    }
    return Bytes{call.document.keep(std::move(bytes))};
}

/// bytes(), bytearray(b"..."), bytearray("...", "latin-1").
Value make_bytes(Call const& call) {
    if (call.arguments.empty()) return Bytes{};
    if (auto const bytes = raw_bytes(call.arguments[0]); bytes && call.arguments.size() == 1) return Bytes{*bytes};
    return encode_latin1(call);
}

Value torch_device(Call const& call) {
    call.need(1);
    auto const* const type = std::get_if<Text>(&call.arguments[0]);
    if (type == nullptr) call.bad_arguments();
    return *type;
}

}  // namespace

std::optional<std::string_view> raw_bytes(Value const& value) {
    if (auto const* const bytes = std::get_if<Bytes>(&value)) return bytes->content;
    if (auto const* const text = std::get_if<Text>(&value); text != nullptr && text->python2) return text->chars;
    return std::nullopt;
}

Value call(Document& document, Budget& budget, Global callee, Arguments arguments, Where const& where) {
    Call const it{document, budget, callee, arguments, where};
    switch (callee.callee) {
        case Callee::rebuild_tensor: return rebuild_tensor(it);
        case Callee::rebuild_tensor_v3: return rebuild_tensor_v3(it);
        case Callee::rebuild_parameter: return rebuild_parameter(it);
        case Callee::rebuild_from_type: return rebuild_from_type(it);
        case Callee::rebuild_unsupported: return Unsupported{callee.name, where.byte};
        case Callee::torch_size:
        case Callee::tuple: return copy_sequence(it, ContainerKind::tuple);
        case Callee::list: return copy_sequence(it, ContainerKind::list);
        case Callee::set: return copy_sequence(it, ContainerKind::set);
        case Callee::dict: return copy_dict(it);
        case Callee::default_dict: return default_dict(it);
        case Callee::codecs_encode: return encode_latin1(it);
        case Callee::bytes: return make_bytes(it);
        case Callee::torch_device: return torch_device(it);
        case Callee::numpy_reconstruct:
        case Callee::numpy_from_buffer:
        case Callee::numpy_scalar:
        case Callee::numpy_dtype: return call_numpy(document, callee, arguments, where);
        case Callee::tensor_type:
        case Callee::storage_type:
        case Callee::torch_dtype:
        case Callee::scalar_type:
        case Callee::numpy_array_type: break;
    }
    where.refuse("call \"{}\"", callee.name);
}

void set_state(Document& document, Value const& target, Value const& state, Where const& where) {
    auto const* const tuple = document.container(state, ContainerKind::tuple);
    if (auto const* const array = std::get_if<ArrayRef>(&target); array != nullptr && tuple != nullptr) {
        return set_array_state(document.arrays[array->index], tuple->items, where);
    }
    if (auto const* const dtype = std::get_if<DtypeRef>(&target); dtype != nullptr && tuple != nullptr) {
        return set_dtype_state(document.dtypes[dtype->index], tuple->items, where);
    }
    // The attributes of an OrderedDict (state_dict's _metadata) or of a parameter hold no weights.
    bool const has_attributes = document.container(target, ContainerKind::dict) != nullptr ||
                                std::holds_alternative<TensorRef>(target) ||
                                std::holds_alternative<Unsupported>(target);
    if (!has_attributes) where.refuse("set the state of an object");
}

}  // namespace vitrum::pickle
