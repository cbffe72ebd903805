// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>

#include "backends/backend.h"

namespace vitrum {

template <class K, class O>
concept KernelFor = requires(O const& op, Problem const& problem, Launch const& launch) {
    { K::kName } -> std::convertible_to<std::string_view>;
    { K::supports(op, problem) } -> std::same_as<Support>;
    { K::packings(op, problem) } -> std::same_as<std::vector<Packing>>;
    { K::workspace_bytes(op, problem, 1) } -> std::same_as<std::size_t>;
    { K::reusable_inputs(op, problem) } -> std::same_as<std::vector<int>>;
    { K::launch(op, launch) } -> std::same_as<void>;
};

/// What most kernels answer; a kernel inherits it and hides what differs.
template <class O>
struct KernelDefaults {
    static Support supports(O const&, Problem const&) { return {}; }
    static std::vector<Packing> packings(O const&, Problem const&) { return {}; }
    static std::size_t workspace_bytes(O const&, Problem const&, int) { return 0; }
    static std::vector<int> reusable_inputs(O const&, Problem const&) { return {}; }
};

/// Whether every shift of a ShiftBack stays inside of x: graphs may come from strangers.
[[nodiscard]] inline Support shifts_fit(ShiftBack const& op, Problem const& problem) {
    Shape const& x = problem.inputs[ShiftBack::kX];
    Shape const& y = problem.outputs[0];
    if (x[1] != y[1] || x[1] > op.full_rows || y[2] + op.shift(x[3] - 1, x[1]) > x[2]) {
        return {false,
                fmt::format("{} cannot be shifted back to {} (at most {} rows)", x.str(), y.str(), op.full_rows)};
    }
    return {};
}

/// Kernels of one operator, best first.
template <class O, KernelFor<O>... Ks>
struct KernelList {};

/// Specialised by each backend for each operator: `template <> struct Kernels<Cpu, Mlp> { using list = KernelList<Mlp,
/// …>; };` There is no default, so an operator that a backend forgot does not compile.
template <class BackendTag, class O>
struct Kernels;

namespace detail {

template <class K, class O>
bool try_kernel(O const& op, Problem const& problem, int threads, Selection& selection) {
    Support support = K::supports(op, problem);
    if (!support.ok) {
        selection.refusals.push_back({K::kName, std::move(support.why)});
        return false;
    }
    selection.kernel = K::kName;
    selection.workspace_bytes = K::workspace_bytes(op, problem, threads);
    selection.packings = K::packings(op, problem);
    selection.reusable_inputs = K::reusable_inputs(op, problem);
    selection.launch = [](Op const& o, Launch const& launch) { K::launch(*std::get_if<O>(&o), launch); };
    return true;
}

template <class O, class... Ks>
void try_list(KernelList<O, Ks...>, O const& op, Problem const& problem, int threads, Selection& selection) {
    (void)(try_kernel<Ks>(op, problem, threads, selection) || ...);
}

}  // namespace detail

/// The first kernel of the backend's list that supports the problem.
template <class BackendTag>
Selection select_kernel(Op const& op, Problem const& problem, int threads) {
    Selection selection;
    std::visit(
        [&]<class O>(O const& o) {
            detail::try_list(typename Kernels<BackendTag, O>::list{}, o, problem, threads, selection);
        },
        op);
    return selection;
}

}  // namespace vitrum
