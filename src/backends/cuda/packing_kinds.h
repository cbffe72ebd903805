// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vitrum::cuda {

/// Every way to pack a weight in this backend, in one list: equal keys must mean equal bytes.
enum PackingKind : int {
    kConv,  ///< the first three for each precision of operands, which PackingKey::isa holds
    kPatchConv,
    kParts,
    kPlain,
    kDepthwise,
    kHalfDepthwise,
    kScaledDepthwise,
    kTransposed,
    kFragments,
    kUpConv,
    kGroups,
    kPixels,
    kShiftFirst,
    kShiftSecond,
    kWideGroups,
    kGroupOutput,
    kSectionsFirst,
    kSectionsSecond,
    kSectionsBias,
    kBrainShiftFirst,
    kBrainShiftSecond,
    kBrainShiftBias,
    kBrainPixels,
    kWindowQkv,
    kWindowProjection,
    kMlpFc1,
    kMlpFc2,
    kSwinQkv,
    kSwinProjection,
    kSwinQkvBias,
    kSwinTable,
    kSwinVector,
    kSwinNorm,
    kSwinFc1,
    kSwinFc2,
    kHopperConv,
    kHopperShiftFirst,
    kHopperShiftSecond,
    kGroupValues,
    kGroupBoth,
    kPixelOperand,
    kGroupOutputOperand,
    kHopperRows,
    kScaled,
    kToColours,
};

}  // namespace vitrum::cuda
