// SPDX-License-Identifier: Apache-2.0
#include "pickle_tensors.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "formats/text.h"
#include "pickle_calls.h"
#include "pickle_globals.h"
#include "tensor_extent.h"

namespace vitrum::pickle {
namespace {

/// The visible part of a value, or nothing for what has no plain text.
std::optional<std::string> plain_text(Value const& value) {
    if (std::holds_alternative<None>(value)) return "none";
    if (auto const* const flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (auto const* const integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
    if (auto const* const real = std::get_if<double>(&value)) return fmt::format("{}", *real);
    if (auto const* const text = std::get_if<Text>(&value)) return valid_utf8(text->chars);
    if (auto const* const global = std::get_if<Global>(&value)) return std::string(global->name);
    if (auto const* const big = std::get_if<BigInteger>(&value)) {
        std::string digits;
        for (std::size_t i = big->little_endian.size(); i-- > 0;) {
            digits += fmt::format("{:02x}", static_cast<unsigned char>(big->little_endian[i]));
        }
        return "0x" + digits;
    }
    return std::nullopt;
}

/// numpy arrays may lie in decoded text (protocol 2), which must live as long as the file.
struct Owners {
    std::shared_ptr<void const> file;
    std::shared_ptr<void const> decoded;
};

class Walk {
public:
    Walk(Document const& document, FindStorage const& find_storage, Checkpoint& checkpoint)
        : document_(document), find_storage_(find_storage), checkpoint_(checkpoint), file_(checkpoint.path.string()) {
        for (auto const& container : document.containers) visits_left_ += 2 * container.items.size();
    }

    void visit(Value const& value);

private:
    static constexpr int kDeepest = 100;

    template <class... Args>
    [[noreturn]] void bad_tensor(fmt::format_string<Args...> what, Args&&... args) const {
        fail("{}: tensor \"{}\" (pickle byte {}) {}", file_, excerpt(path_), pickle_byte_,
             fmt::format(what, std::forward<Args>(args)...));
    }
    void visit_items(Container const& container);
    void visit_child(std::string_view key, Value const& value);
    std::string key_text(Value const& key) const;
    void spend_text(std::size_t bytes);
    void add_tensor(ConstTensorView const& view);
    ConstTensorView view_of(Tensor const& tensor);
    ConstTensorView view_of(NumpyArray const& array);
    ByteSpan storage_bytes(Storage const& storage) const;
    Shape extents(Value const& value) const;

    Document const& document_;
    FindStorage const& find_storage_;
    Checkpoint& checkpoint_;
    std::string file_;
    std::string path_;
    int depth_ = 0;
    std::size_t pickle_byte_ = 0;  ///< of the tensor in hand
    // A pickle can refer to a container from many places, 2^n of them in n lines. In a real one most values have one
    // place: twice their number, and then some, is plenty.
    std::size_t visits_left_ = 100'000;
    std::size_t text_left_ = std::size_t{256} << 20;
};

void Walk::visit(Value const& value) {
    if (visits_left_-- == 0) fail("{}: damaged checkpoint: its containers refer to each other endlessly", file_);
    if (auto const* const container = document_.container(value)) return visit_items(*container);
    if (auto const* const tensor = std::get_if<TensorRef>(&value))
        return add_tensor(view_of(document_.tensors[tensor->index]));
    if (auto const* const array = std::get_if<ArrayRef>(&value))
        return add_tensor(view_of(document_.arrays[array->index]));
    if (auto const* const unsupported = std::get_if<Unsupported>(&value)) {
        pickle_byte_ = unsupported->pickle_byte;
        bad_tensor("is of a sort that is not read ({}); convert it to a dense float tensor and save again",
                   unsupported->what);
    }
    if (auto text = plain_text(value)) {
        spend_text(path_.size() + text->size());
        checkpoint_.values.insert_or_assign(one_line(path_), std::move(*text));
    }
}

void Walk::visit_items(Container const& container) {
    if (++depth_ > kDeepest) {
        fail(
            "{}: \"{}\": containers are nested deeper than {}, or contain themselves; re-save only "
            "model.state_dict()",
            file_, excerpt(path_), kDeepest);
    }
    auto const& items = container.items;
    if (container.kind == ContainerKind::dict) {
        for (std::size_t i = 0; i + 1 < items.size(); i += 2) visit_child(key_text(items[i]), items[i + 1]);
    } else {
        for (std::size_t i = 0; i < items.size(); ++i) visit_child(std::to_string(i), items[i]);
    }
    --depth_;
}

void Walk::visit_child(std::string_view key, Value const& value) {
    std::size_t const parent = path_.size();
    spend_text(key.size());
    if (depth_ > 1) path_ += '.';
    path_ += key;
    visit(value);
    path_.resize(parent);
}

std::string Walk::key_text(Value const& key) const {
    if (auto const* const text = std::get_if<Text>(&key)) return valid_utf8(text->chars);
    bool const plain = std::holds_alternative<None>(key) || std::holds_alternative<bool>(key) ||
                       std::holds_alternative<std::int64_t>(key) || std::holds_alternative<double>(key);
    if (plain) return *plain_text(key);
    fail(
        "{}: the dictionary at \"{}\" has a key that is neither text nor a number; re-save only "
        "model.state_dict()",
        file_, excerpt(path_));
}

void Walk::spend_text(std::size_t bytes) {
    if (bytes > text_left_) fail("{}: damaged checkpoint: its keys and texts take more than 256 MiB", file_);
    text_left_ -= bytes;
}

void Walk::add_tensor(ConstTensorView const& view) {
    spend_text(path_.size());
    checkpoint_.tensors.push_back({depth_ == 0 ? "tensor" : one_line(path_), view});
}

ByteSpan Walk::storage_bytes(Storage const& storage) const {
    auto const bytes = find_storage_(storage);
    if (!bytes)
        bad_tensor("lies in storage \"{}\", which the file does not hold; download or copy it again",
                   excerpt(storage.key));
    return *bytes;
}

ConstTensorView Walk::view_of(Tensor const& tensor) {
    pickle_byte_ = tensor.pickle_byte;
    Storage const& storage = document_.storages[tensor.storage.index];
    auto const type_name = tensor.dtype.empty() ? storage.type : tensor.dtype;
    auto const dtype = torch_dtype(type_name);
    if (!dtype) bad_tensor("is of type {}, which is not read; convert it to float32 and save again", type_name);
    std::size_t const element = size_of(*dtype);
    ByteSpan bytes = storage_bytes(storage);
    // A storage's numel counts its own elements: bytes where it is untyped.
    std::size_t const unit = tensor.dtype.empty() ? element : 1;
    auto const numel = static_cast<std::uint64_t>(storage.numel);
    if (storage.numel < 0 || numel > bytes.size() / unit) {
        bad_tensor(
            "lies in storage \"{}\" of {} elements, but the file holds {} bytes of it; download or copy it again",
            excerpt(storage.key), storage.numel, bytes.size());
    }
    bytes = bytes.first(static_cast<std::size_t>(numel) * unit);
    if (auto const& slice = storage.slice) {
        bool const inside = slice->offset >= 0 && slice->numel >= 0 && lies_inside(slice->offset, slice->numel, numel);
        if (!inside)
            bad_tensor("lies in a view [{}, +{}] that leaves its storage of {} elements", slice->offset, slice->numel,
                       numel);
        bytes = bytes.subspan(static_cast<std::size_t>(slice->offset) * unit,
                              static_cast<std::size_t>(slice->numel) * unit);
    }
    auto const* const offset = std::get_if<std::int64_t>(&tensor.offset);
    if (offset == nullptr) bad_tensor("has an offset that is no number");
    TensorExtent const extent{*dtype, extents(tensor.size), extents(tensor.stride), *offset};
    auto view = locate(extent, bytes);
    if (!view) bad_tensor("{}", view.error);
    return *view.view;
}

ConstTensorView Walk::view_of(NumpyArray const& array) {
    pickle_byte_ = array.pickle_byte;
    auto const* const ref = std::get_if<DtypeRef>(&array.dtype);
    if (ref == nullptr) bad_tensor("is a numpy array without a dtype; save it again");
    NumpyDtype const& dtype = document_.dtypes[ref->index];
    auto const type = numpy_dtype(dtype.code);
    if (!type)
        bad_tensor("is of numpy type \"{}\", which is not read; convert it to float32 and save again",
                   excerpt(dtype.code));
    if (dtype.byte_order == '>' && size_of(*type) > 1)
        bad_tensor("is big-endian; convert it to little-endian and save again");
    auto const data = raw_bytes(array.data);
    if (!data) bad_tensor("is a numpy array without bytes; save it again");
    Shape const shape = extents(array.shape);
    auto const count = sane_count(shape);
    if (!count || static_cast<std::uint64_t>(*count) != data->size() / size_of(*type) ||
        data->size() % size_of(*type) != 0) {
        bad_tensor("of shape {} and type {} does not match its {} bytes", shape.str(), name_of(*type), data->size());
    }
    Shape const strides = array.fortran && *count > 0 ? fortran_strides(shape) : shape.contiguous_strides();
    return {as_bytes(*data).data(), *type, shape, strides};
}

Shape Walk::extents(Value const& value) const {
    auto const* const sequence = document_.container(value);
    bool const is_sequence = sequence != nullptr && sequence->kind != ContainerKind::dict;
    // numpy and old files also write a bare number.
    std::vector<Value> const bare{value};
    auto const& items = is_sequence ? sequence->items : bare;
    if (items.size() > static_cast<std::size_t>(Shape::kMaxRank))
        bad_tensor("has {} dimensions; at most {} are read", items.size(), Shape::kMaxRank);
    std::vector<std::int64_t> numbers;
    for (Value const& item : items) {
        auto const* const number = std::get_if<std::int64_t>(&item);
        if (number == nullptr) bad_tensor("has an extent or a stride that is no number");
        numbers.push_back(*number);
    }
    return Shape(numbers);
}

}  // namespace

Checkpoint name_tensors(Source const& source, std::string format, Document const& document,
                        FindStorage const& find_storage) {
    Checkpoint checkpoint;
    checkpoint.path = source.name;
    checkpoint.format = std::move(format);
    checkpoint.storage = std::make_shared<Owners>(Owners{source.owner, document.decoded});
    Walk(document, find_storage, checkpoint).visit(document.root);
    return checkpoint;
}

}  // namespace vitrum::pickle
