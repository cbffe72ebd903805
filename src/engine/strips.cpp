// SPDX-License-Identifier: Apache-2.0
#include "strips.h"

#include <algorithm>

namespace vitrum {
namespace {

/// Rows of a strip are whole tiles of every kernel.
constexpr std::int64_t kRowMultiple = 64;
/// Of a picture that is absurdly tall, so that its program stays small.
constexpr std::int64_t kMostStrips = 1024;

class StripCutter {
public:
    StripCutter(Graph const& graph, Sizes const& sizes) : graph_(graph), sizes_(sizes) {}

    [[nodiscard]] std::optional<StripChain> cut(std::size_t most_bytes) const {
        std::size_t const last = graph_.nodes.size() - 1, first = start_of_chain();
        if (first == last) return std::nullopt;
        double const whole = most_held(first);
        if (whole <= 2.0 * static_cast<double>(most_bytes)) return std::nullopt;
        std::int64_t const height = height_of(graph_.outputs.front());
        auto const share = static_cast<double>(most_bytes) / whole;
        auto const fitting = static_cast<std::int64_t>(share * static_cast<double>(height));
        std::int64_t const least = height / kMostStrips / kRowMultiple + 1;
        std::int64_t const rows = std::max(fitting / kRowMultiple, least) * kRowMultiple;
        StripChain chain{first, {}};
        for (std::int64_t row = 0; row < height; row += rows) {
            chain.strips.push_back(steps_for({row, std::min(row + rows, height)}, first));
        }
        return chain;
    }

private:
    /// The chain begins behind its smallest activation, which is held whole.
    [[nodiscard]] std::size_t start_of_chain() const {
        std::size_t const last = graph_.nodes.size() - 1;
        bool const ends_in_crop = std::holds_alternative<Crop>(graph_.nodes[last].op) && graph_.outputs.size() == 1 &&
                                  graph_.nodes[last].outputs.front() == graph_.outputs.front();
        if (!ends_in_crop || sizes_.n != 1) return last;
        std::size_t best = last;
        for (std::size_t n = last; n > 0 && feeds_only_the_next(n - 1); --n) {
            if (best == last || bytes_of(input_of(n - 1)) <= bytes_of(input_of(best))) best = n - 1;
        }
        return best;
    }

    /// Whether a node sees few rows around each, and nobody but the node behind it reads its output.
    [[nodiscard]] bool feeds_only_the_next(std::size_t n) const {
        Node const& node = graph_.nodes[n];
        auto const* const conv = std::get_if<Conv2d>(&node.op);
        bool const is_conv = conv != nullptr && conv->stride == 1 && node.inputs[Conv2d::kResidual] == kNone;
        if (!is_conv && !std::holds_alternative<ResizeNearest>(node.op)) return false;
        ValueId const output = node.outputs.front();
        std::ptrdiff_t readers = 0;
        for (Node const& other : graph_.nodes) readers += std::ranges::count(other.inputs, output);
        return readers == 1 && input_of(n + 1) == output && !graph_.is_constant(input_of(n));
    }

    [[nodiscard]] ValueId input_of(std::size_t n) const {
        static_assert(Conv2d::kX == 0 && ResizeNearest::kX == 0 && Crop::kX == 0);
        return graph_.nodes[n].inputs.front();
    }
    [[nodiscard]] std::int64_t height_of(ValueId id) const { return graph_.value(id).dims[1].at(sizes_); }
    [[nodiscard]] double bytes_of(ValueId id) const {
        double bytes = sizeof(float);
        for (Dim const& dim : graph_.value(id).dims) bytes *= static_cast<double>(dim.at(sizes_));
        return bytes;
    }

    /// The most that activations inside of the chain would take at once.
    [[nodiscard]] double most_held(std::size_t first) const {
        double most = 0;
        for (std::size_t n = first; n + 1 < graph_.nodes.size(); ++n) {
            double const input = n == first ? 0 : bytes_of(input_of(n));
            most = std::max(most, input + bytes_of(graph_.nodes[n].outputs.front()));
        }
        return most;
    }

    [[nodiscard]] std::vector<StripStep> steps_for(Rows needed, std::size_t first) const {
        std::vector<StripStep> steps;
        for (std::size_t n = graph_.nodes.size(); n-- > first;) {
            steps.push_back(step_for(n, needed));
            needed = steps.back().input;
        }
        std::ranges::reverse(steps);
        return steps;
    }
    [[nodiscard]] StripStep step_for(std::size_t n, Rows needed) const {
        Op const& op = graph_.nodes[n].op;
        if (std::holds_alternative<Crop>(op)) return {n, needed, needed};
        auto const* const conv = std::get_if<Conv2d>(&op);
        std::int64_t const factor = conv != nullptr ? conv->pixel_shuffle : std::get<ResizeNearest>(op).factor;
        std::int64_t const around = conv != nullptr ? conv->kernel / 2 : 0;
        Rows const input{std::max(needed.begin / factor - around, std::int64_t{0}),
                         std::min((needed.end + factor - 1) / factor + around, height_of(input_of(n)))};
        return {n, input, {input.begin * factor, input.end * factor}};
    }

    Graph const& graph_;
    Sizes const& sizes_;
};

}  // namespace

std::optional<StripChain> cut_into_strips(Graph const& graph, Sizes const& sizes, std::size_t most_bytes) {
    if (graph.nodes.empty()) return std::nullopt;
    return StripCutter(graph, sizes).cut(most_bytes);
}

}  // namespace vitrum
