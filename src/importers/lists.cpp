// SPDX-License-Identifier: Apache-2.0
// Lists of tensors (sequences) and values that may be absent (optional ones): both are gone once a graph is made.
#include <algorithm>
#include <array>

#include "call.h"

namespace vitrum::onnx {
namespace {

using Values = std::vector<ValueId>;
using Integers = std::vector<std::int64_t>;

Values empty_list(Call const& c) {
    return {c.b.list({})};
}

Values list_of(Call const& c) {
    Values items;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) items.push_back(c.in(i));
    return {c.b.list(std::move(items))};
}

/// A place in a list of that many, negative ones counted from its end.
std::ptrdiff_t place(Call const& c, std::size_t input, std::int64_t count) {
    std::int64_t const stated = c.b.integers(c.in(input), "position").at(0);
    std::int64_t const positive = stated < 0 ? stated + count : stated;
    if (positive < 0 || positive >= count) c.b.refuse("position {} of {}", stated, count);
    return positive;
}

Values at(Call const& c) {
    Values const& items = c.b.items(c.in(0));
    return {items[static_cast<std::size_t>(place(c, 1, std::ssize(items)))]};
}

Values insert(Call const& c) {
    Values items = c.b.items(c.in(0));
    std::ptrdiff_t where = std::ssize(items);
    if (c.has(2)) {
        // A negative position is in front of the item that it counts to.
        std::int64_t const stated = c.b.integers(c.in(2), "position").at(0);
        where = stated == where ? where : place(c, 2, where);
    }
    items.insert(items.begin() + where, c.in(1));
    return {c.b.list(std::move(items))};
}

Values erase(Call const& c) {
    Values items = c.b.items(c.in(0));
    if (items.empty()) c.b.refuse("nothing to remove from an empty list");
    items.erase(items.begin() + (c.has(1) ? place(c, 1, std::ssize(items)) : std::ssize(items) - 1));
    return {c.b.list(std::move(items))};
}

Values length(Call const& c) {
    std::int64_t const count = std::ssize(c.b.items(c.in(0)));
    return {c.b.integers_constant({}, std::span(&count, 1))};
}

ValueId without_axis(Call const& c, ValueId x, int axis) {
    Shape const shape = c.b.shape(x);
    Integers extents(shape.begin(), shape.end());
    extents.erase(extents.begin() + axis);
    return c.b.reshape(x, Shape(extents));
}

/// In parts of one, or of equal size with a smaller last one, or of sizes that are listed.
Values split_list(Call const& c) {
    int const axis = c.b.axis(c.integer("axis", 0), c.rank(0));
    std::int64_t const extent = c.shape(0)[axis];
    bool const lists_sizes = c.has(1) && c.rank(1) > 0;
    Integers sizes;
    if (lists_sizes) {
        sizes = c.b.integers(c.in(1), "split");
    } else {
        std::int64_t const each = c.has(1) ? c.b.integers(c.in(1), "split").at(0) : 1;
        if (each < 1 || extent / each > static_cast<std::int64_t>(Builder::kMostItems))
            c.b.refuse("{} in parts of {}", extent, each);
        for (std::int64_t begin = 0; begin < extent; begin += each) sizes.push_back(std::min(each, extent - begin));
    }
    bool const keeps_axis = c.has(1) || c.integer("keepdims", 1) != 0;
    Values items;
    std::int64_t begin = 0;
    for (auto const size : sizes) {
        if (size < 0 || size > extent - begin) c.b.refuse("parts that are not the {} of axis {}", extent, axis);
        ValueId const part = c.b.slice(c.in(0), axis, begin, size);
        items.push_back(keeps_axis ? part : without_axis(c, part, axis));
        begin += size;
    }
    if (begin != extent) c.b.refuse("parts that are not the {} of axis {}", extent, axis);
    return {c.b.list(std::move(items))};
}

/// Along an axis, which is a new one where that is asked for.
Values join_list(Call const& c) {
    Values items = c.b.items(c.in(0));
    if (items.empty()) c.b.refuse("an empty list");
    bool const stacks = c.integer("new_axis", 0) != 0;
    int const axis = c.b.axis(c.integer("axis", 0), c.b.shape(items.front()).rank() + (stacks ? 1 : 0));
    for (ValueId& item : items) {
        if (!stacks) continue;
        Shape const shape = c.b.shape(item);
        Integers extents(shape.begin(), shape.end());
        if (axis > shape.rank()) c.b.refuse("no axis {} in {}", axis, shape.str());
        extents.insert(extents.begin() + axis, 1);
        item = c.b.reshape(item, c.b.sized(extents));
    }
    return {c.b.concat(items, axis)};
}

Values optional(Call const& c) {
    return {c.has(0) ? c.in(0) : kNone};
}
Values has_element(Call const& c) {
    return {c.b.scalar(DType::boolean, c.has(0) ? 1 : 0)};
}
Values element(Call const& c) {
    return {c.in(0)};
}

constexpr auto kListRules = std::to_array<NamedRule>({
    {"SequenceEmpty", empty_list},
    {"SequenceConstruct", list_of},
    {"SequenceAt", at},
    {"SequenceInsert", insert},
    {"SequenceErase", erase},
    {"SequenceLength", length},
    {"SplitToSequence", split_list},
    {"ConcatFromSequence", join_list},
    {"Optional", optional},
    {"OptionalHasElement", has_element},
    {"OptionalGetElement", element},
});

}  // namespace

std::span<NamedRule const> list_rules() {
    return kListRules;
}

}  // namespace vitrum::onnx
