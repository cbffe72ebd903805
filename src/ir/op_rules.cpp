// SPDX-License-Identifier: Apache-2.0
// What each operator demands of its inputs' extents.
#include "op_demands.h"

namespace vitrum {
namespace {

constexpr int kMaxFactor = 16;
constexpr int kMaxKernel = 16;

std::string rule(Conv2d const& op, Inputs in) {
    Demands d(in);
    d.activation(Conv2d::kX)
        .that(op.kernel >= 1 && op.kernel <= kMaxKernel, "kernel is not 1 to 16")
        .that(op.stride >= 1 && op.stride <= kMaxFactor, "stride is not 1 to 16");
    if (d.broken()) return d.text();
    auto const out = d.extent(Conv2d::kWeight, 0);
    auto const& x = in[Conv2d::kX];
    return d.that(op.stride <= op.kernel || op.kernel == 1, "stride is larger than the kernel")
        .that(out > 0, "no output channels")
        .weight(Conv2d::kWeight, {out, d.channels(), op.kernel, op.kernel})
        .optional_weight(Conv2d::kBias, {out})
        .that(
            op.pixel_shuffle >= 1 && op.pixel_shuffle <= kMaxFactor && out % (op.pixel_shuffle * op.pixel_shuffle) == 0,
            "channels do not divide by the shuffle")
        .same_extents(Conv2d::kResidual, {x[0], x[1].ceil_div(op.stride), x[2].ceil_div(op.stride), out})
        .text();
}

std::string rule(LayerNorm const&, Inputs in) {
    Demands d(in);
    if (d.activation(LayerNorm::kX).broken()) return d.text();
    return d.weight(LayerNorm::kWeight, {d.channels()}).weight(LayerNorm::kBias, {d.channels()}).text();
}

std::string rule(WindowAttention const& op, Inputs in) {
    using W = WindowAttention;
    Demands d(in);
    if (d.activation(W::kX).broken()) return d.text();
    auto const c = d.channels();
    if (d.that(op.heads > 0 && c % op.heads == 0, "heads do not divide the channels")
            .that(op.window >= 1 && op.window <= 32, "window outside 1 … 32")
            .that(op.shift >= 0 && op.shift < op.window, "shift outside the window")
            .broken()) {
        return d.text();
    }
    std::int64_t const span = 2 * op.window - 1;
    return d.weight(W::kQkvWeight, {3 * c, c})
        .optional_weight(W::kQkvBias, {3 * c})
        .weight(W::kBiasTable, {span * span, op.heads})
        .weight(W::kProjWeight, {c, c})
        .weight(W::kProjBias, {c})
        .both_or_none(W::kNormWeight, W::kNormBias)
        .optional_weight(W::kNormWeight, {c})
        .optional_weight(W::kNormBias, {c})
        .same_extents(W::kResidual, in[W::kX])
        .text();
}

std::string rule(Mlp const& op, Inputs in) {
    Demands d(in);
    if (d.activation(Mlp::kX).broken()) return d.text();
    auto const c = d.channels();
    auto const hidden = d.extent(Mlp::kFc1Weight, 0);
    return d.that(hidden > 0, "no hidden channels")
        .that(op.activation != Activation::none, "no activation between the layers")
        .weight(Mlp::kFc1Weight, {hidden, c})
        .weight(Mlp::kFc1Bias, {hidden})
        .weight(Mlp::kFc2Weight, {c, hidden})
        .weight(Mlp::kFc2Bias, {c})
        .both_or_none(Mlp::kNormWeight, Mlp::kNormBias)
        .optional_weight(Mlp::kNormWeight, {c})
        .optional_weight(Mlp::kNormBias, {c})
        .same_extents(Mlp::kResidual, in[Mlp::kX])
        .text();
}

std::string rule(ShiftMlp const&, Inputs in) {
    using S = ShiftMlp;
    Demands d(in);
    if (d.activation(S::kX).broken()) return d.text();
    auto const c = d.channels();
    auto const hidden = d.extent(S::kFc1Weight, 0);
    return d.that(hidden > 0, "no hidden channels")
        .weight(S::kFc1Weight, {hidden, c})
        .weight(S::kFc1Bias, {hidden})
        .weight(S::kFc2Weight, {c, hidden})
        .weight(S::kFc2Bias, {c})
        .same_extents(S::kResidual, in[S::kX])
        .text();
}

bool is_multiple_of(Dim const& extent, int window) {
    return window > 0 && extent.ceil_div(window).times(window) == extent;
}

std::string rule(GroupWindowAttention const& op, Inputs in) {
    using G = GroupWindowAttention;
    Demands d(in);
    if (d.activation(G::kX).broken()) return d.text();
    auto const c = d.channels();
    d.that(c % G::kGroups == 0, "three groups do not divide the channels");
    for (int const window : op.windows) {
        d.that(window >= 1 && window <= 32, "window outside 1 … 32")
            .that(!op.shifted || window % 2 == 0, "half of an odd window is no shift")
            .that(is_multiple_of(in[G::kX][1], window) && is_multiple_of(in[G::kX][2], window),
                  "height or width is no multiple of the window");
    }
    auto const rows = in[G::kQuery].empty() ? 2 * c : c;
    return d.weight(G::kInWeight, {rows, c})
        .weight(G::kInBias, {rows})
        .weight(G::kOutWeight, {c, c})
        .weight(G::kOutBias, {c})
        .same_extents(G::kQuery, in[G::kX])
        .same_extents(G::kResidual, in[G::kX])
        .text();
}

std::string rule(Add const&, Inputs in) {
    return Demands(in).activation(Add::kA).same_extents(Add::kB, in[Add::kA]).text();
}

std::string rule(Activate const&, Inputs in) {
    return Demands(in).activation(Activate::kX).text();
}

std::string rule(PixelShuffle const& op, Inputs in) {
    Demands d(in);
    if (d.activation(PixelShuffle::kX).broken()) return d.text();
    return d
        .that(op.factor >= 1 && op.factor <= kMaxFactor && d.channels() % (op.factor * op.factor) == 0,
              "channels do not divide by the shuffle")
        .text();
}

std::string rule(ResizeNearest const& op, Inputs in) {
    return Demands(in)
        .activation(ResizeNearest::kX)
        .that(op.factor >= 1 && op.factor <= kMaxFactor, "factor outside 1 … 16")
        .text();
}

template <class O>
std::string affine_rule(Inputs in) {
    Demands d(in);
    if (d.activation(O::kX).broken()) return d.text();
    return d.weight(O::kScale, {d.channels()}).weight(O::kShift, {d.channels()}).text();
}

std::string rule(ReflectPad const& op, Inputs in) {
    if (op.multiple < 1 || op.multiple > 4096) return "multiple outside 1 … 4096";
    return affine_rule<ReflectPad>(in);
}

std::string rule(Crop const&, Inputs in) {
    return affine_rule<Crop>(in);
}

std::string rule(Resize const& op, Inputs in) {
    Demands d(in);
    if (d.activation(Resize::kX).broken()) return d.text();
    auto const& x = in[Resize::kX];
    return d.same_extents(Resize::kAdd, {x[0], op.height, op.width, x[3]}).text();
}

std::string rule(SinePosition const&, Inputs in) {
    Demands d(in);
    auto const channels = d.extent(SinePosition::kLevel, 0);
    return d.that(channels > 0 && channels % 4 == 0, "channels are no multiple of 4")
        .weight(SinePosition::kLevel, {channels})
        .text();
}

std::string rule(AddPosition const&, Inputs in) {
    Demands d(in);
    if (d.activation(AddPosition::kX).broken()) return d.text();
    auto const& x = in[AddPosition::kX];
    return d.same_extents(AddPosition::kPosition, {1, x[1], x[2], x[3]}).text();
}

std::string rule(Tokens const&, Inputs in) {
    Demands d(in);
    auto const rows = d.extent(Tokens::kTable, 0);
    auto const channels = d.extent(Tokens::kTable, 1);
    return d.that(rows > 0 && channels > 0, "an empty table").weight(Tokens::kTable, {rows, channels}).text();
}

std::string rule(DeformableAttention const& op, Inputs in) {
    using D = DeformableAttention;
    Demands d(in);
    if (d.activation(D::kX).broken()) return d.text();
    auto const c = d.channels();
    constexpr int kMaxHeads = 1024;
    constexpr int kMaxPoints = 1024;
    if (d.that(op.heads > 0 && op.heads <= kMaxHeads && c % op.heads == 0, "heads do not divide the channels")
            .that(op.points > 0 && op.points <= kMaxPoints, "points outside 1 … 1024")
            .broken()) {
        return d.text();
    }
    auto const& x = in[D::kX];
    for (int const value : {D::kValue0, D::kValue1, D::kValue2}) {
        if (d.activation(value).broken()) return d.text();
        auto const& dims = in[static_cast<std::size_t>(value)];
        d.that(dims[0] == x[0] && dims[3] == x[3], "values of other pictures");
    }
    return d.same_extents(D::kPosition, {1, x[1], x[2], x[3]})
        .weight(D::kOffsetWeight, {2 * op.samples(), c})
        .weight(D::kOffsetBias, {2 * op.samples()})
        .weight(D::kScoreWeight, {op.samples(), c})
        .weight(D::kScoreBias, {op.samples()})
        .weight(D::kProjWeight, {c, c})
        .weight(D::kProjBias, {c})
        .weight(D::kNormWeight, {c})
        .weight(D::kNormBias, {c})
        .text();
}

/// Input i is a list of queries [N, 1, Q, C] with known Q.
bool are_queries(Dims const& dims) {
    return dims[1] == Dim(1) && dims[2].is_constant() && dims[2].at({}) > 0;
}

std::string rule(QueryAttention const& op, Inputs in) {
    using A = QueryAttention;
    Demands d(in);
    if (d.activation(A::kQueries).activation(A::kKeys).broken()) return d.text();
    auto const& queries = in[A::kQueries];
    auto const& keys = in[A::kKeys];
    return d.that(are_queries(queries), "queries are not [N, 1, Q, C]")
        .that(op.heads > 0 && d.channels() % op.heads == 0, "heads do not divide the channels")
        .that(keys[0] == queries[0] && keys[3] == queries[3], "keys of other pictures")
        .same_extents(A::kValues, keys)
        .same_extents(A::kMask, {keys[0], keys[1], keys[2], queries[2]})
        .text();
}

std::string rule(QueryMasks const&, Inputs in) {
    using M = QueryMasks;
    Demands d(in);
    if (d.activation(M::kFeatures).activation(M::kQueries).broken()) return d.text();
    auto const& features = in[M::kFeatures];
    auto const& queries = in[M::kQueries];
    return d.that(are_queries(queries), "queries are not [N, 1, Q, C]")
        .that(queries[0] == features[0] && queries[3] == features[3], "queries of other pictures")
        .text();
}

std::string rule(PatchMerging const&, Inputs in) {
    using P = PatchMerging;
    Demands d(in);
    if (d.activation(P::kX).broken()) return d.text();
    auto const c = d.channels();
    auto const out = d.extent(P::kWeight, 0);
    return d.that(out > 0, "no output channels")
        .weight(P::kNormWeight, {4 * c})
        .weight(P::kNormBias, {4 * c})
        .weight(P::kWeight, {out, 4 * c})
        .text();
}

std::string rule(GroupNorm const& op, Inputs in) {
    if (auto text = rule(LayerNorm{}, in); !text.empty()) return text;  // its inputs are the same
    bool const divides = op.groups > 0 && in[GroupNorm::kX][3].at({}) % op.groups == 0;
    return divides ? "" : "groups do not divide the channels";
}

std::string rule(MaxPool2d const& op, Inputs in) {
    return Demands(in)
        .activation(MaxPool2d::kX)
        .that(op.kernel >= 1 && op.kernel <= kMaxKernel, "kernel is not 1 to 16")
        .that(op.stride >= 1 && op.stride <= op.kernel, "stride is not 1 to the kernel's size")
        .text();
}

std::string rule(SpectralAttention const& op, Inputs in) {
    using S = SpectralAttention;
    Demands d(in);
    if (d.activation(S::kX).broken()) return d.text();
    auto const c = d.channels();
    return d.that(op.heads > 0 && c % op.heads == 0, "heads do not divide the channels")
        .weight(S::kQueryWeight, {c, c})
        .weight(S::kKeyWeight, {c, c})
        .weight(S::kValueWeight, {c, c})
        .weight(S::kRescale, {op.heads, 1, 1})
        .weight(S::kProjWeight, {c, c})
        .weight(S::kProjBias, {c})
        .weight(S::kPosition1, {c, 1, 3, 3})
        .weight(S::kPosition2, {c, 1, 3, 3})
        .same_extents(S::kGuide, in[S::kX])
        .same_extents(S::kResidual, in[S::kX])
        .text();
}

std::string rule(ConvMlp const&, Inputs in) {
    using M = ConvMlp;
    Demands d(in);
    if (d.activation(M::kX).broken()) return d.text();
    auto const c = d.channels();
    auto const hidden = d.extent(M::kFc1Weight, 0);
    return d.that(hidden > 0, "no hidden channels")
        .weight(M::kFc1Weight, {hidden, c, 1, 1})
        .weight(M::kDepthWeight, {hidden, 1, 3, 3})
        .weight(M::kFc2Weight, {c, hidden, 1, 1})
        .both_or_none(M::kNormWeight, M::kNormBias)
        .optional_weight(M::kNormWeight, {c})
        .optional_weight(M::kNormBias, {c})
        .same_extents(M::kResidual, in[M::kX])
        .text();
}

std::string rule(DepthwiseConv const& op, Inputs in) {
    using D = DepthwiseConv;
    Demands d(in);
    if (d.activation(D::kX).broken()) return d.text();
    return d.that(op.kernel == 3 || op.kernel == 5, "kernel is neither 3 nor 5")
        .weight(D::kWeight, {d.channels(), 1, op.kernel, op.kernel})
        .optional_weight(D::kBias, {d.channels()})
        .same_extents(D::kGated, in[D::kX])
        .text();
}

/// That the shifts stay inside of x can only be told at concrete sizes: kernels refuse what does not.
std::string rule(ShiftBack const& op, Inputs in) {
    return Demands(in)
        .activation(ShiftBack::kX)
        .that(op.step >= 0 && op.step <= kMaxFactor, "step outside 0 … 16")
        .that(op.full_rows >= 1 && op.full_rows <= 4096, "full_rows outside 1 … 4096")
        .text();
}

std::string rule(ToPixels const&, Inputs in) {
    bool const fits = in[0].size() == 4 && std::ranges::all_of(in[0], [](Dim const& dim) { return dim.is_constant(); });
    return fits ? "" : "a picture is not [N, C, H, W]";
}

std::string rule(ToDense const&, Inputs in) {
    bool const fits = in[0].size() == 4 && std::ranges::all_of(in[0], [](Dim const& dim) { return dim.is_constant(); });
    return fits ? "" : "an activation of unknown extents";
}

/// Whether an absent input is legal: those that the operator's comment calls optional.
bool is_optional(Conv2d const&, int input) {
    return input == Conv2d::kBias || input == Conv2d::kResidual;
}
bool is_optional(WindowAttention const&, int input) {
    return input == WindowAttention::kQkvBias || input >= WindowAttention::kNormWeight;
}
bool is_optional(Mlp const&, int input) {
    return input >= Mlp::kNormWeight;
}
bool is_optional(ShiftMlp const&, int input) {
    return input == ShiftMlp::kResidual;
}
bool is_optional(GroupWindowAttention const&, int input) {
    return input >= GroupWindowAttention::kQuery;
}
bool is_optional(Resize const&, int input) {
    return input == Resize::kAdd;
}
bool is_optional(QueryAttention const&, int input) {
    return input == QueryAttention::kMask;
}
bool is_optional(SpectralAttention const&, int input) {
    return input >= SpectralAttention::kGuide;
}
bool is_optional(ConvMlp const&, int input) {
    return input >= ConvMlp::kNormWeight;
}
bool is_optional(DepthwiseConv const&, int input) {
    return input == DepthwiseConv::kBias || input == DepthwiseConv::kGated;
}
template <class O>
bool is_optional(O const&, int) {
    return false;
}

template <class O>
std::string native_violation(O const& op, Inputs inputs) {
    if (inputs.size() != O::kInputs) return "wrong number of inputs";
    for (int i = 0; i < O::kInputs; ++i) {
        if (inputs[static_cast<std::size_t>(i)].empty() && !is_optional(op, i)) return "an input is absent";
    }
    return rule(op, inputs);
}

}  // namespace

std::string op_violation(Op const& op, std::span<std::vector<Dim> const> inputs) {
    return std::visit(
        [&]<class O>(O const& o) -> std::string {
            if constexpr (std::is_same_v<O, Dense>) {
                return "an operator on dense values, whose rule is dense_outcome()";
            } else {
                return native_violation(o, inputs);
            }
        },
        op);
}

}  // namespace vitrum
