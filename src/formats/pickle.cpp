// SPDX-License-Identifier: Apache-2.0
#include "pickle.h"

#include "formats/text.h"
#include "pickle_calls.h"
#include "pickle_cursor.h"
#include "pickle_globals.h"

namespace vitrum::pickle {
namespace {

constexpr std::uint8_t kHighestProtocol = 5;

/// The pickle machine: a stack, marks on it, and a memo. Each group of opcodes is one function that says whether
/// the opcode is one of its own.
class Interpreter {
public:
    Interpreter(Source const& source, std::size_t begin) : cursor_(source, begin), largest_memo_(source.bytes.size()) {
        budget_.decoded_bytes = source.bytes.size();
    }

    Document run() {
        for (;;) {
            auto const opcode = cursor_.opcode();
            if (opcode == '.') break;
            budget_.spend_values(1, where());
            bool const known = number(opcode) || text(opcode) || structure(opcode) || container(opcode) ||
                               memo(opcode) || object(opcode);
            if (!known) where().damaged("0x{:02x} is no pickle opcode", opcode);
        }
        document_.root = pop();
        document_.end = cursor_.at();
        return std::move(document_);
    }

private:
    Where where() const { return cursor_.where(); }

    bool number(std::uint8_t opcode);
    bool text(std::uint8_t opcode);
    bool text_of_protocol_0(std::uint8_t opcode);
    bool structure(std::uint8_t opcode);
    bool container(std::uint8_t opcode);
    bool memo(std::uint8_t opcode);
    bool object(std::uint8_t opcode);

    bool push(Value const& value) {
        stack_.push_back(value);
        return true;
    }
    bool push_container(ContainerKind kind, std::vector<Value> items) {
        document_.containers.push_back({kind, std::move(items)});
        return push(ContainerRef{static_cast<std::uint32_t>(document_.containers.size() - 1)});
    }
    std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
    Value pop();
    Value const& top() const;
    std::vector<Value> pop_to_mark();
    std::vector<Value> pop_last(std::size_t count);

    bool append(std::vector<Value> const& items, ContainerKind kind);
    bool set_items(std::vector<Value> const& items);
    bool store(std::uint64_t index);
    bool fetch(std::uint64_t index);
    std::uint64_t index_in_text();
    Value find(std::string_view module, std::string_view name) const;
    Value find_on_stack();
    Value reduce();
    Value instantiate(std::vector<Value> const& callee_and_arguments);
    Value persistent(Value const& id);

    Cursor cursor_;
    std::size_t largest_memo_;
    Budget budget_;
    Document document_;
    std::vector<Value> stack_;
    std::vector<std::size_t> marks_;
    std::vector<std::optional<Value>> memo_;
};

Value Interpreter::pop() {
    Value const value = top();
    stack_.pop_back();
    return value;
}

Value const& Interpreter::top() const {
    if (stack_.size() <= floor()) where().damaged("an opcode takes a value that is not there");
    return stack_.back();
}

std::vector<Value> Interpreter::pop_to_mark() {
    if (marks_.empty()) where().damaged("an opcode takes a mark that is not there");
    std::vector<Value> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
}

std::vector<Value> Interpreter::pop_last(std::size_t count) {
    if (stack_.size() - floor() < count) where().damaged("an opcode takes values that are not there");
    std::vector<Value> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
}

bool Interpreter::number(std::uint8_t opcode) {
    switch (opcode) {
        case 'N': return push(None{});
        case 0x88: return push(true);
        case 0x89: return push(false);
        case 'I': return push(parse_int(cursor_.line(), where()));
        case 'J': return push(std::int64_t{cursor_.number<std::int32_t>()});
        case 'K': return push(std::int64_t{cursor_.number<std::uint8_t>()});
        case 'M': return push(std::int64_t{cursor_.number<std::uint16_t>()});
        case 'L': return push(parse_long(cursor_.line(), document_, where()));
        case 0x8A: return push(parse_big(cursor_.counted<std::uint8_t>()));
        case 0x8B: return push(parse_big(cursor_.counted<std::int32_t>()));
        case 'F': return push(parse_float(cursor_.line(), where()));
        case 'G': return push(cursor_.big_endian_double());
        default: return false;
    }
}

bool Interpreter::text(std::uint8_t opcode) {
    switch (opcode) {
        case 'X': return push(Text{cursor_.counted<std::uint32_t>()});
        case 0x8C: return push(Text{cursor_.counted<std::uint8_t>()});
        case 0x8D: return push(Text{cursor_.counted<std::uint64_t>()});
        case 'T': return push(Text{cursor_.counted<std::int32_t>(), true});
        case 'U': return push(Text{cursor_.counted<std::uint8_t>(), true});
        case 'B': return push(Bytes{cursor_.counted<std::uint32_t>()});
        case 'C': return push(Bytes{cursor_.counted<std::uint8_t>()});
        case 0x8E:
        case 0x96: return push(Bytes{cursor_.counted<std::uint64_t>()});
        case 'S':
        case 'V': return text_of_protocol_0(opcode);
        default: return false;
    }
}

bool Interpreter::text_of_protocol_0(std::uint8_t opcode) {
    auto const line = cursor_.line();
    bool const is_string = opcode == 'S';
    auto decoded = is_string ? unescape_string(line, where()) : unescape_unicode(line, where());
    return push(Text{document_.keep(std::move(decoded)), is_string});
}

bool Interpreter::structure(std::uint8_t opcode) {
    switch (opcode) {
        case 0x80:
            if (auto const protocol = cursor_.number<std::uint8_t>(); protocol > kHighestProtocol) {
                where().damaged("pickle protocol {} is not known", protocol);
            }
            return true;
        case 0x95: static_cast<void>(cursor_.number<std::uint64_t>()); return true;  // frames only help streams
        case '(': marks_.push_back(stack_.size()); return true;
        case '1': static_cast<void>(pop_to_mark()); return true;
        case '2': return push(Value(top()));
        case '0':
            // Python's own rule: POP right behind a mark takes the mark.
            if (!marks_.empty() && stack_.size() == marks_.back()) marks_.pop_back();
            else static_cast<void>(pop());
            return true;
        default: return false;
    }
}

bool Interpreter::container(std::uint8_t opcode) {
    switch (opcode) {
        case ')': return push_container(ContainerKind::tuple, {});
        case ']': return push_container(ContainerKind::list, {});
        case '}': return push_container(ContainerKind::dict, {});
        case 0x8F: return push_container(ContainerKind::set, {});
        case 't': return push_container(ContainerKind::tuple, pop_to_mark());
        case 'l': return push_container(ContainerKind::list, pop_to_mark());
        case 0x91: return push_container(ContainerKind::set, pop_to_mark());
        case 0x85: return push_container(ContainerKind::tuple, pop_last(1));
        case 0x86: return push_container(ContainerKind::tuple, pop_last(2));
        case 0x87: return push_container(ContainerKind::tuple, pop_last(3));
        case 'd': {
            auto const items = pop_to_mark();
            push_container(ContainerKind::dict, {});
            return set_items(items);
        }
        case 'a': return append(pop_last(1), ContainerKind::list);
        case 'e': return append(pop_to_mark(), ContainerKind::list);
        case 0x90: return append(pop_to_mark(), ContainerKind::set);
        case 's': return set_items(pop_last(2));
        case 'u': return set_items(pop_to_mark());
        default: return false;
    }
}

bool Interpreter::append(std::vector<Value> const& items, ContainerKind kind) {
    if (document_.container(top(), kind) == nullptr) where().refuse("append to something that is no list");
    auto& to = document_.containers[std::get<ContainerRef>(top()).index].items;
    to.insert(to.end(), items.begin(), items.end());
    return true;
}

bool Interpreter::set_items(std::vector<Value> const& items) {
    if (items.size() % 2 != 0) where().damaged("a dictionary has a key without a value");
    if (document_.container(top(), ContainerKind::dict) == nullptr)
        where().refuse("set items of something that is no dict");
    auto& to = document_.containers[std::get<ContainerRef>(top()).index].items;
    to.insert(to.end(), items.begin(), items.end());
    return true;
}

bool Interpreter::memo(std::uint8_t opcode) {
    switch (opcode) {
        case 'p': return store(index_in_text());
        case 'q': return store(cursor_.number<std::uint8_t>());
        case 'r': return store(cursor_.number<std::uint32_t>());
        case 0x94: return store(memo_.size());
        case 'g': return fetch(index_in_text());
        case 'h': return fetch(cursor_.number<std::uint8_t>());
        case 'j': return fetch(cursor_.number<std::uint32_t>());
        default: return false;
    }
}

bool Interpreter::store(std::uint64_t index) {
    // Each memo index stands for an opcode of the file, so a larger one is a lie that would only cost memory.
    if (index > largest_memo_) where().damaged("memo index {} is larger than the file", index);
    if (index >= memo_.size()) memo_.resize(static_cast<std::size_t>(index) + 1);
    memo_[static_cast<std::size_t>(index)] = top();
    return true;
}

bool Interpreter::fetch(std::uint64_t index) {
    if (index >= memo_.size() || !memo_[static_cast<std::size_t>(index)]) {
        where().damaged("memo index {} was never set", index);
    }
    return push(*memo_[static_cast<std::size_t>(index)]);
}

std::uint64_t Interpreter::index_in_text() {
    auto const value = parse_int(cursor_.line(), where());
    auto const* const index = std::get_if<std::int64_t>(&value);
    return index == nullptr ? (std::get<bool>(value) ? 1 : 0) : static_cast<std::uint64_t>(*index);
}

bool Interpreter::object(std::uint8_t opcode) {
    switch (opcode) {
        case 'c': {
            auto const module = cursor_.line();
            return push(find(module, cursor_.line()));
        }
        case 0x93: return push(find_on_stack());
        case 'R':
        case 0x81: return push(reduce());
        case 0x92: {
            auto const* const keywords = document_.container(pop(), ContainerKind::dict);
            if (keywords == nullptr || !keywords->items.empty()) where().refuse("make an object from keywords");
            return push(reduce());
        }
        case 'o': return push(instantiate(pop_to_mark()));
        case 'i': {
            auto const module = cursor_.line();
            std::vector<Value> all{find(module, cursor_.line())};
            auto const arguments = pop_to_mark();
            all.insert(all.end(), arguments.begin(), arguments.end());
            return push(instantiate(all));
        }
        case 'b': {
            Value const state = pop();
            set_state(document_, top(), state, where());
            return true;
        }
        case 'Q': return push(persistent(pop()));
        case 'P': where().refuse("take data from \"{}\"", excerpt(cursor_.line()));
        case 0x82:
        case 0x83:
        case 0x84: where().refuse("call a function from copyreg's extension registry");
        case 0x97:
        case 0x98: where().refuse("take a buffer from outside the pickle");
        default: return false;
    }
}

Value Interpreter::find(std::string_view module, std::string_view name) const {
    if (auto const global = find_global(module, name)) return *global;
    where().refuse("call \"{}.{}\"", excerpt(module), excerpt(name));
}

Value Interpreter::find_on_stack() {
    auto const names = pop_last(2);
    auto const* const module = std::get_if<Text>(&names[0]);
    auto const* const name = std::get_if<Text>(&names[1]);
    if (module == nullptr || name == nullptr) where().damaged("a global's name is not text");
    return find(module->chars, name->chars);
}

Value Interpreter::reduce() {
    auto const values = pop_last(2);
    auto const* const callee = std::get_if<Global>(&values[0]);
    auto const* const arguments = document_.container(values[1], ContainerKind::tuple);
    if (callee == nullptr || arguments == nullptr) where().refuse("call something that is no function");
    return call(document_, budget_, *callee, arguments->items, where());
}

Value Interpreter::instantiate(std::vector<Value> const& callee_and_arguments) {
    auto const* const callee = callee_and_arguments.empty() ? nullptr : std::get_if<Global>(&callee_and_arguments[0]);
    if (callee == nullptr) where().refuse("make an object of something that is no class");
    return call(document_, budget_, *callee, Arguments(callee_and_arguments).subspan(1), where());
}

/// ("storage", torch.FloatStorage, key, location, numel[, None or (view key, offset, numel)])
Value Interpreter::persistent(Value const& id) {
    auto const* const tuple = document_.container(id, ContainerKind::tuple);
    if (tuple == nullptr || tuple->items.size() < 5) where().damaged("a storage reference that makes no sense");
    auto const& items = tuple->items;
    auto const* const word = std::get_if<Text>(&items[0]);
    auto const* const type = std::get_if<Global>(&items[1]);
    auto const* const key = std::get_if<Text>(&items[2]);
    auto const* const numel = std::get_if<std::int64_t>(&items[4]);
    bool const sane =
        word != nullptr && word->chars == "storage" && type != nullptr && key != nullptr && numel != nullptr;
    if (!sane || type->callee != Callee::storage_type) where().damaged("a storage reference that makes no sense");
    Storage storage{type->name, key->chars, *numel, {}};
    if (items.size() > 5 && !std::holds_alternative<None>(items[5])) {
        auto const* const view = document_.container(items[5], ContainerKind::tuple);
        auto const* const offset =
            view == nullptr || view->items.size() != 3 ? nullptr : std::get_if<std::int64_t>(&view->items[1]);
        auto const* const size = offset == nullptr ? nullptr : std::get_if<std::int64_t>(&view->items[2]);
        if (size == nullptr) where().damaged("a storage view that makes no sense");
        storage.slice = StorageSlice{*offset, *size};
    }
    document_.storages.push_back(storage);
    return StorageRef{static_cast<std::uint32_t>(document_.storages.size() - 1)};
}

}  // namespace

Document read(Source const& source, std::size_t begin) {
    return Interpreter(source, begin).run();
}

}  // namespace vitrum::pickle
