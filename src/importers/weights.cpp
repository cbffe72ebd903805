// SPDX-License-Identifier: Apache-2.0
#include "importers/weights.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <sstream>

#include <fmt/core.h>

#include "level_table.h"
#include "query_projection.h"
#include "relative_table.h"

namespace vitrum {
namespace {

/// PyTorch's names are paths: "norm.weight". Exporters' own are "onnx::MatMul_497", "/norm/Constant_output_0", "val_3".
bool is_parameter_name(std::string_view name) {
    return name.find('.') != std::string_view::npos && name.find_first_of(":/") == std::string_view::npos;
}

/// "layers.0.attn" of "layers.0.attn.qkv.bias" and "layers.0.attn.proj.bias".
std::string common_module(std::string_view a, std::string_view b) {
    std::size_t end = 0;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()) && a[i] == b[i]; ++i) {
        if (a[i] == '.') end = i;
    }
    return std::string(a.substr(0, end));
}

/// Extents other than 1 and their strides.
std::vector<std::pair<std::int64_t, std::int64_t>> squeezed(Shape const& shape, Shape const& strides) {
    std::vector<std::pair<std::int64_t, std::int64_t>> left;
    for (int i = 0; i < shape.rank(); ++i) {
        if (shape[i] != 1) left.emplace_back(shape[i], strides[i]);
    }
    return left;
}

/// The same numbers with extents of 1 added or dropped, or nothing where the others differ.
std::optional<ConstTensorView> viewed_as(ConstTensorView const& view, Shape const& shape) {
    auto const from = squeezed(view.shape, view.strides), to = squeezed(shape, shape);
    if (!std::ranges::equal(
            from, to, {}, [](auto const& e) { return e.first; }, [](auto const& e) { return e.first; }))
        return std::nullopt;
    ConstTensorView result{view.data, view.dtype, shape, shape};
    std::size_t next = 0;
    for (int i = 0; i < shape.rank(); ++i) result.strides[i] = shape[i] == 1 ? 1 : from[next++].second;
    return result;
}

ConstTensorView view_of(Constant const& constant) {
    return {constant.bytes(), constant.dtype, constant.shape, constant.shape.contiguous_strides()};
}

ConstTensorView transposed(ConstTensorView const& view) {
    return {view.data, view.dtype, {view.shape[1], view.shape[0]}, {view.strides[1], view.strides[0]}};
}

/// The parameters of a batch norm that changes nothing, by the ends of their names. The variance makes up for the
/// epsilon that is added to it.
struct NormPart {
    std::string_view ending;
    float value;
};
constexpr std::array kNormParts = {NormPart{".weight", 1.0F}, NormPart{".bias", 0.0F}, NormPart{".running_mean", 0.0F},
                                   NormPart{".running_var", 1.0F - 1e-5F}};

NormPart const* norm_part(std::string_view name, std::set<std::string> const& folded) {
    for (NormPart const& part : kNormParts) {
        if (!name.ends_with(part.ending)) continue;
        if (folded.contains(std::string(name.substr(0, name.size() - part.ending.size())))) return &part;
    }
    return nullptr;
}

Constant filled(Shape const& shape, float value) {
    auto owner = std::make_shared<std::vector<float> const>(static_cast<std::size_t>(shape.count()), value);
    return {shape, owner->data(), owner};
}

Constant multiplied(ConstTensorView const& view, float factor) {
    auto owner = std::make_shared<std::vector<float>>(static_cast<std::size_t>(view.shape.count()));
    copy_to_f32(view, owner->data());
    for (float& value : *owner) value *= factor;
    return {view.shape, owner->data(), owner};
}

}  // namespace

ExportedWeights::ExportedWeights(std::vector<ConstantRead> const& reads, std::map<std::string, Constant> const& named,
                                 ExportNames const& names, Sizes const& picture)
    : names_(names) {
    for (auto const& [name, constant] : named) {
        if (is_parameter_name(name)) add_known(published(name), {view_of(constant), constant.owner});
    }
    collect_uses(reads, picture);
    name_by_neighbours();
    for (ReadBefore const& rule : names_.nameless) name_nameless(rule);
    for (ComputedQueries const& rule : names_.computed) name_computed(rule);
    auto const owners = std::make_shared<std::vector<std::shared_ptr<void const>>>();
    for (auto const& [name, weight] : by_name_) {
        known_.tensors.push_back({name, weight.view});
        owners->push_back(weight.owner);
    }
    known_.storage = owners;
}

void ExportedWeights::add_known(std::string const& name, Weight const& weight) {
    by_name_.try_emplace(name, weight);
}

std::optional<ExportedWeights::Weight> ExportedWeights::known(std::string const& name) const {
    auto const found = by_name_.find(name);
    return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

std::string ExportedWeights::published(std::string const& name) const {
    return names_.published == nullptr ? name : names_.published(name);
}

void ExportedWeights::collect_uses(std::vector<ConstantRead> const& reads, Sizes const& picture) {
    for (ConstantRead const& read : reads) {
        Constant const& constant = read.constant;
        Use use{.name = is_parameter_name(read.name) ? published(read.name) : "",
                .weight = {view_of(constant), constant.owner}};
        use.is_matrix = read.role == ConstantRead::Role::matrix || read.role == ConstantRead::Role::transposed_matrix;
        if (read.role == ConstantRead::Role::matrix) use.weight.view = transposed(use.weight.view);
        else if (auto const table = relative_table(constant)) use.table = Weight{view_of(*table), table->owner};
        else if (auto const levels = level_table(constant, picture))
            use.levels = Weight{view_of(*levels), levels->owner};
        uses_.push_back(std::move(use));
        if (read.role == ConstantRead::Role::filter_bias) name_filter(read.node);
    }
}

/// A filter and a bias that both lost their names have taken up a batch norm; their node still tells the module:
/// "/net/layers/layers.0/conv/Conv" is net.layers.0.conv.
void ExportedWeights::name_filter(std::string const& node) {
    bool const is_path = node.starts_with('/') && node.rfind('/') > 0;
    if (uses_.size() < 2 || !is_path || !uses_.back().name.empty() || !uses_[uses_.size() - 2].name.empty()) return;
    std::string module, last;
    std::istringstream parts(node.substr(1, node.rfind('/') - 1));
    for (std::string part; std::getline(parts, part, '/'); last = part) {
        bool const repeats = !last.empty() && part.starts_with(last + ".");
        if (repeats) module.resize(module.size() - last.size());
        else if (!module.empty()) module += '.';
        module += part;
    }
    uses_[uses_.size() - 2].name = published(module + ".weight");
    uses_.back().name = published(module + ".bias");
    for (std::size_t i = uses_.size() - 2; i < uses_.size(); ++i) add_known(uses_[i].name, uses_[i].weight);
}

/// Queries [heads, count, channels / heads] in front of `next`, with no more matrices before them than those of keys
/// and values.
void ExportedWeights::name_computed(ComputedQueries const& rule) {
    auto const next = std::ranges::find_if(uses_, [&](Use const& use) { return use.name.ends_with(rule.next); });
    if (next == uses_.end()) return;
    auto const prefix = next->name.substr(0, next->name.size() - rule.next.size());
    std::array<std::optional<Weight>, 2> from;
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = known(prefix + std::string(rule.from[i]));
    if (!from[0] || !from[1] || from[0]->view.shape != from[1]->view.shape) return;
    Shape const shape = from[0]->view.shape;
    std::vector<double> sum(static_cast<std::size_t>(shape.count()));
    std::vector<float> part(sum.size());
    for (auto const& weight : from) {
        copy_to_f32(weight->view, part.data());
        std::ranges::transform(sum, part, sum.begin(), std::plus<>());
    }
    int matrices = 0;
    std::optional<Constant> projection;
    for (auto use = std::make_reverse_iterator(next); use != uses_.rend() && use->name.empty(); ++use) {
        if (use->is_matrix) ++matrices;
        if (!projection) projection = query_projection(use->weight.view, shape, sum);
    }
    constexpr int kKeysAndValues = 2;
    if (!projection || matrices > kKeysAndValues) return;
    Constant const none = filled({shape[1]}, 0);
    add_known(prefix + fmt::format("{}.weight", rule.projection), {view_of(*projection), projection->owner});
    add_known(prefix + fmt::format("{}.bias", rule.projection), {view_of(none), none.owner});
}

/// The last weight of that kind in front of the first node that reads `next`, which may have a container's prefix.
void ExportedWeights::name_nameless(ReadBefore const& rule) {
    auto const next = std::ranges::find_if(uses_, [&](Use const& use) { return use.name.ends_with(rule.next); });
    if (next == uses_.end()) return;
    auto const prefix = next->name.substr(0, next->name.size() - rule.next.size());
    for (auto use = std::make_reverse_iterator(next); use != uses_.rend(); ++use) {
        if (!use->name.empty() || use->is_matrix) continue;
        auto const left = squeezed(use->weight.view.shape, use->weight.view.strides);
        if (left.size() != 2) continue;
        Shape const shape{left[0].first, left[1].first};
        add_known(prefix + std::string(rule.name), {*viewed_as(use->weight.view, shape), use->weight.owner});
        return;
    }
}

/// The matrix in front of a named bias is of the same layer; in front of several, of those layers one after the other:
/// simplifiers merge products of one value.
void ExportedWeights::name_products(std::size_t matrix) {
    constexpr std::string_view kBias = "bias";
    Use& use = uses_[matrix];
    ConstTensorView rest = use.weight.view;
    std::vector<std::pair<std::string, Weight>> layers;
    for (std::size_t i = matrix + 1; i < uses_.size() && rest.shape[0] > 0; ++i) {
        std::string const& bias = uses_[i].name;
        std::int64_t const rows = uses_[i].weight.view.shape.count();
        if (!bias.ends_with(".bias") || rows > rest.shape[0]) return;
        ConstTensorView own = rest;
        own.shape[0] = rows;
        layers.emplace_back(bias.substr(0, bias.size() - kBias.size()) + "weight", Weight{own, use.weight.owner});
        rest.data += rows * rest.strides[0] * static_cast<std::int64_t>(size_of(rest.dtype));
        rest.shape[0] -= rows;
    }
    if (layers.empty() || rest.shape[0] > 0) return;
    if (layers.size() == 1) use.name = layers.front().first;
    for (auto const& [name, weight] : layers) add_known(name, weight);
}

void ExportedWeights::name_by_neighbours() {
    std::string_view before;
    for (std::size_t i = 0; i < uses_.size(); ++i) {
        Use& use = uses_[i];
        if (!use.name.empty()) {
            before = use.name;
            continue;
        }
        if (use.is_matrix) name_products(i);
        if (!use.table) continue;
        auto const behind = std::find_if(uses_.begin() + static_cast<std::ptrdiff_t>(i), uses_.end(),
                                         [](Use const& u) { return !u.name.empty(); });
        if (behind == uses_.end()) continue;
        auto const module = common_module(before, behind->name);
        if (!module.empty()) add_known(published(module + ".relative_position_bias_table"), *use.table);
    }
}

std::optional<ExportedWeights::Weight> ExportedWeights::read_as(Use const& use, Shape const& shape) {
    if (use.table && use.table->view.shape == shape) return use.table;
    if (use.levels && use.levels->view.shape == shape) return use.levels;
    if (auto const view = viewed_as(use.weight.view, shape)) return Weight{*view, use.weight.owner};
    return std::nullopt;
}

/// The best alignment of two sequences that keeps the order of both (Needleman and Wunsch, 1970): equal names hold it
/// in place, and between them what has no name goes where it fits. A tensor with another parameter's name fits too,
/// since exporters store equal tensors once.
std::vector<ExportedWeights::Use const*> ExportedWeights::places_of(std::vector<WantedWeight> const& wanted,
                                                                    std::string const& prefix) const {
    constexpr std::size_t kMostCells = std::size_t{1} << 26;  // a quarter of a gigabyte; SwinIR-L has 5 million
    std::size_t const rows = wanted.size(), columns = uses_.size();
    std::vector<Use const*> places(rows, nullptr);
    if ((rows + 1) * (columns + 1) > kMostCells) return places;
    std::vector<int> best((rows + 1) * (columns + 1), 0);
    auto const at = [&](std::size_t row, std::size_t column) -> int& { return best[row * (columns + 1) + column]; };
    for (std::size_t row = 0; row < rows; ++row) {
        std::string const name = prefix + wanted[row].name;
        bool const is_known = by_name_.contains(name);
        auto const worth = [&](Use const& use) {
            constexpr int kSameName = 1000, kNoName = 10, kOtherRole = 5, kRow = 2, kOtherName = 1;
            if (use.name == name) return kSameName;
            if (is_known || !read_as(use, wanted[row].shape)) return 0;
            if (!use.name.empty()) return kOtherName;
            if (wanted[row].is_row) return kRow;
            // Positions of as many pixels as there are channels look like a matrix.
            bool const is_for_matrix = wanted[row].name.ends_with(".weight") && wanted[row].shape.rank() == 2;
            return is_for_matrix && !use.is_matrix ? kOtherRole : kNoName;
        };
        for (std::size_t column = 0; column < columns; ++column) {
            at(row + 1, column + 1) =
                std::max({at(row, column + 1), at(row + 1, column), at(row, column) + worth(uses_[column])});
        }
    }
    for (std::size_t row = rows, column = columns; row > 0 && column > 0;) {
        if (at(row, column) == at(row, column - 1)) --column;
        else if (at(row, column) == at(row - 1, column)) --row;
        else places[--row] = &uses_[--column];
    }
    return places;
}

/// Batch norms that are wanted and of which nothing is there.
std::set<std::string> ExportedWeights::folded_norms(std::vector<WantedWeight> const& wanted,
                                                    std::string const& prefix) const {
    constexpr std::string_view kEnding = ".running_var";
    std::set<std::string> folded;
    for (WantedWeight const& w : wanted) {
        if (!w.name.ends_with(kEnding)) continue;
        std::string const norm = w.name.substr(0, w.name.size() - kEnding.size());
        auto const is_there = [&](NormPart const& part) {
            return by_name_.contains(prefix + norm + std::string(part.ending));
        };
        if (std::ranges::none_of(kNormParts, is_there)) folded.insert(norm);
    }
    return folded;
}

/// A small table that nodes read row by row is wanted by its rows as well.
std::int64_t ExportedWeights::rows_of(WantedWeight const& wanted, std::string const& prefix) const {
    constexpr std::int64_t kMostRows = 4;  // the levels of an image pyramid
    bool const is_table = wanted.shape.rank() == 2 && wanted.shape[0] <= kMostRows && wanted.shape[1] > 1;
    return is_table && !by_name_.contains(prefix + wanted.name) ? wanted.shape[0] : 0;
}

/// The rows one under another; nothing where one is missing.
std::optional<ExportedWeights::Weight> ExportedWeights::stacked(std::span<Use const* const> rows, Shape const& shape) {
    if (rows.empty() || std::ranges::find(rows, nullptr) != rows.end()) return std::nullopt;
    auto const owner = std::make_shared<std::vector<float>>(static_cast<std::size_t>(shape.count()));
    float* to = owner->data();
    for (Use const* const row : rows) {
        copy_to_f32(*viewed_as(row->weight.view, {shape[1]}), to);
        to += shape[1];
    }
    return Weight{view_of({shape, owner->data(), owner}), owner};
}

/// The bias of a batch norm that was folded into a convolution which had none: the convolution's now, which one of the
/// exporters calls "weight_bias".
std::optional<ExportedWeights::Weight> ExportedWeights::folded_bias(std::vector<WantedWeight> const& wanted,
                                                                    std::size_t norm_bias,
                                                                    std::string const& prefix) const {
    constexpr std::string_view kWeight = "weight";
    if (norm_bias < 2 || !wanted[norm_bias - 2].name.ends_with(".weight")) return std::nullopt;  // conv, norm.weight
    std::string const filter = prefix + wanted[norm_bias - 2].name;
    auto const bias = known(filter.substr(0, filter.size() - kWeight.size()) + "bias");
    return bias ? bias : known(filter + "_bias");
}

FoundWeights ExportedWeights::find(std::vector<WantedWeight> const& wanted, std::string const& prefix,
                                   float factor) const {
    std::set<std::string> const folded = folded_norms(wanted, prefix);
    std::vector<WantedWeight> placed;
    for (WantedWeight const& w : wanted) {
        if (norm_part(w.name, folded) != nullptr) continue;
        placed.push_back(w);
        for (std::int64_t row = 0; row < rows_of(w, prefix); ++row) {
            placed.push_back({fmt::format("{}[{}]", w.name, row), {w.shape[1]}, true});
        }
    }
    auto const places = places_of(placed, prefix);

    FoundWeights found;
    auto const owners = std::make_shared<std::vector<std::shared_ptr<void const>>>();
    auto const add = [&](std::string const& name, ConstTensorView const& view, std::shared_ptr<void const> owner) {
        found.checkpoint.tensors.push_back({name, view});
        owners->push_back(std::move(owner));
    };
    std::size_t next = 0;
    for (WantedWeight const& w : wanted) {
        if (auto const* const part = norm_part(w.name, folded)) {
            auto const at = static_cast<std::size_t>(&w - wanted.data());
            auto const bias = part->ending == ".bias" ? folded_bias(wanted, at, prefix) : std::nullopt;
            if (bias && bias->view.shape == w.shape) {
                add(w.name, bias->view, bias->owner);
                continue;
            }
            Constant const constant = filled(w.shape, part->value);
            add(w.name, view_of(constant), constant.owner);
            continue;
        }
        Use const* const place = places[next++];
        auto const rows =
            stacked(std::span(places).subspan(next, static_cast<std::size_t>(rows_of(w, prefix))), w.shape);
        next += static_cast<std::size_t>(rows_of(w, prefix));
        auto const named = known(prefix + w.name);
        auto const by_place = place == nullptr ? rows : read_as(*place, w.shape);
        if (named && named->view.shape == w.shape) add(w.name, named->view, named->owner);
        else if (by_place && factor != 1 && place != nullptr && place->name.empty() && w.shape.rank() == 4) {
            Constant const constant = multiplied(by_place->view, factor);
            add(w.name, view_of(constant), constant.owner);
            found.has_moved_factors = true;
        } else if (by_place) add(w.name, by_place->view, by_place->owner);
        else found.missing.push_back(w.name);
    }
    found.checkpoint.storage = owners;
    return found;
}

}  // namespace vitrum
