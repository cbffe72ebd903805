// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backends/kernel_list.h"

// The border between plain C++ and the files that Highway compiles once per target: a table of function pointers
// per kernel, indexed by Isa. A backend names its Isa in its type, so nothing is chosen while kernels run.

namespace vitrum::cpu {

/// A vector width. Highway's target behind it depends on the machine: SSE4 or NEON for simd128.
enum class Isa : std::uint8_t { portable, simd128, simd256, simd512 };
inline constexpr int kIsas = 4;

/// One kernel compiled for one target; null where this build lacks the target.
template <class O>
struct Entry {
    std::size_t (*workspace_bytes)(O const&, Problem const&, int threads) = nullptr;
    void (*launch)(O const&, Launch const&) = nullptr;
};
template <class O>
using EntryTable = std::array<Entry<O>, kIsas>;

extern EntryTable<WindowAttention> const kAttention;
extern EntryTable<Mlp> const kMlp;
extern EntryTable<ShiftMlp> const kShiftMlp;
extern EntryTable<GroupWindowAttention> const kGroupAttention;
extern EntryTable<Conv2d> const kConv;
extern EntryTable<Conv2d> const kWinogradConv;
extern EntryTable<Conv2d> const kStridedConv;
extern EntryTable<Conv2d> const kGatheredConv;
extern EntryTable<LayerNorm> const kLayerNorm;
extern EntryTable<Add> const kAdd;
extern EntryTable<Activate> const kActivate;
extern EntryTable<DeformableAttention> const kDeformableAttention;
extern EntryTable<QueryAttention> const kQueryAttention;
extern EntryTable<QueryMasks> const kQueryMasks;
extern EntryTable<PatchMerging> const kPatchMerging;
extern EntryTable<GroupNorm> const kGroupNorm;
extern EntryTable<SpectralAttention> const kSpectralAttention;
extern EntryTable<ConvMlp> const kConvMlp;
extern EntryTable<DepthwiseConv> const kDepthwise;

/// Whether this build holds the instruction set and this machine runs it.
[[nodiscard]] bool is_usable(Isa isa);
/// Highway's name of the target: "AVX3".
[[nodiscard]] std::string name_of(Isa isa);
/// Floats per vector, which tiles are rounded up to.
[[nodiscard]] std::int64_t lanes_of(Isa isa);

}  // namespace vitrum::cpu
