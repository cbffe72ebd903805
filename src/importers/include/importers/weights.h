// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "importers/onnx.h"

namespace vitrum {

/// A weight by the name and in the shape of PyTorch's module.
struct WantedWeight {
    std::string name;
    Shape shape;
    bool is_row = false;  ///< of the table in front of it: less worth than the whole
};

/// Wanted weights as a checkpoint would hold them, and the names of those that were not found.
struct FoundWeights {
    Checkpoint checkpoint;
    std::vector<std::string> missing;
    bool has_moved_factors = false;  ///< a filter was multiplied by the factor
};

/// A weight [rows, columns] that exporters leave without a name, by the named parameter that nodes read next.
struct ReadBefore {
    std::string_view name, next;
};

/// An attention whose queries a simplifier may have computed, since what they are projected from are weights: the sum
/// of two [queries, channels]. Any matrix that gives the same queries does.
struct ComputedQueries {
    std::array<std::string_view, 2> from;
    std::string_view projection;  ///< of the queries: "attn.q_proj"
    std::string_view next;        ///< the named parameter that nodes read next
};

/// What an exporting library calls a family's parameters, and what it does not name.
struct ExportNames {
    std::string (*published)(std::string_view name) = nullptr;  ///< the name in published checkpoints; null: the same
    std::span<ReadBefore const> nameless = {};
    std::span<ComputedQueries const> computed = {};
};

/// The weights of an imported graph, as PyTorch's modules hold them. Exporters keep most names, but transpose the
/// matrices of linear layers, spread tables of relative positions, fold batch norms and store equal tensors once, and
/// what they make so has no name. It is told by the operator that reads it and by its place among the named ones.
class ExportedWeights {
public:
    /// `named`: the file's own tensors; `reads`: what its nodes read for pictures of that size.
    ExportedWeights(std::vector<ConstantRead> const& reads, std::map<std::string, Constant> const& named,
                    ExportNames const& names = {}, Sizes const& picture = {});

    /// What has a name: the file's tensors, the matrix in front of a named bias, the table between two named parameters
    /// of one module.
    [[nodiscard]] Checkpoint const& known() const { return known_; }

    /// Weights that are wanted in the order in which operators run: each by its name, or else by its place. A batch
    /// norm of which nothing is there is one that changes nothing, since it was folded. `prefix` is in front of all
    /// names. Filters without a name are multiplied by `factor`: onnxsim moves GELU's 1/2 into the convolution behind
    /// it.
    [[nodiscard]] FoundWeights find(std::vector<WantedWeight> const& wanted, std::string const& prefix,
                                    float factor = 1) const;

private:
    struct Weight {
        ConstTensorView view;
        std::shared_ptr<void const> owner;
    };
    /// A constant that an operator reads.
    struct Use {
        std::string name;  ///< the parameter's; empty where it has none
        Weight weight;
        std::optional<Weight> table = {};   ///< the table that it was spread from, [offsets, heads]
        std::optional<Weight> levels = {};  ///< the levels' embeddings that were added to sine positions, [levels, C]
        bool is_matrix = false;             ///< the right side of a product
    };

    void collect_uses(std::vector<ConstantRead> const& reads, Sizes const& picture);
    void name_filter(std::string const& node);
    void name_by_neighbours();
    void name_products(std::size_t matrix);
    void name_nameless(ReadBefore const& rule);
    void name_computed(ComputedQueries const& rule);
    [[nodiscard]] std::string published(std::string const& name) const;
    void add_known(std::string const& name, Weight const& weight);
    [[nodiscard]] std::optional<Weight> known(std::string const& name) const;
    [[nodiscard]] std::optional<Weight> folded_bias(std::vector<WantedWeight> const& wanted, std::size_t norm_bias,
                                                    std::string const& prefix) const;
    [[nodiscard]] static std::optional<Weight> read_as(Use const& use, Shape const& shape);
    [[nodiscard]] std::set<std::string> folded_norms(std::vector<WantedWeight> const& wanted,
                                                     std::string const& prefix) const;
    [[nodiscard]] std::int64_t rows_of(WantedWeight const& wanted, std::string const& prefix) const;
    [[nodiscard]] static std::optional<Weight> stacked(std::span<Use const* const> rows, Shape const& shape);
    [[nodiscard]] std::vector<Use const*> places_of(std::vector<WantedWeight> const& wanted,
                                                    std::string const& prefix) const;

    ExportNames names_;
    std::vector<Use> uses_;  ///< in the order of the operators
    std::map<std::string, Weight, std::less<>> by_name_;
    Checkpoint known_;
};

}  // namespace vitrum
