// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/kernel_list.h"

// What every kernel of this backend starts from.

namespace vitrum::cuda {

/// "gemm_tf32": the way and the operands.
class KernelName {
public:
    consteval KernelName(std::string_view way, Precision operands) {
        append(way);
        append("_");
        append(name_of(operands));
    }
    constexpr operator std::string_view() const { return {text_, size_}; }

private:
    constexpr void append(std::string_view part) {
        for (char const letter : part) text_[size_++] = letter;
    }
    char text_[48] = {};
    std::size_t size_ = 0;
};

/// Whether products of such operands are as exact as was asked. Any operands are more exact than bf16; fp16 has tf32's
/// fraction but not its range, so that it is no substitute.
[[nodiscard]] inline Support serves(Precision operands, Precision asked) {
    bool const ok = operands == asked || operands == Precision::fp32 || asked == Precision::bf16 ||
                    (operands == Precision::tf32 && asked == Precision::fp16);
    if (ok) return {};
    return {false, fmt::format("its operands are {}, and {} was asked for", name_of(operands), name_of(asked))};
}

/// Pixels strides and offsets are int64; a block's columns, channels and depth are int.
template <class O>
struct Kernel : KernelDefaults<O> {
    static constexpr std::string_view kName = "fp32";
};

/// The weights of an operator's products, packed for operands of that precision.
std::vector<Packing> packings_for(Conv2d const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(WindowAttention const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(Mlp const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(ShiftMlp const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(GroupWindowAttention const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(DeformableAttention const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(QueryMasks const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(PatchMerging const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(SpectralAttention const& op, Problem const& problem, Precision operands);
std::vector<Packing> packings_for(ConvMlp const& op, Problem const& problem, Precision operands);

/// A kernel that multiplies operands of that precision: fp16 only behind a norm, which bounds them.
template <class O, Precision operands>
struct ProductKernel : KernelDefaults<O> {
    static Support supports(O const&, Problem const& problem) {
        if constexpr (operands == Precision::fp16) {
            if (!problem.present[O::kNormWeight]) return {false, "without a norm, x may leave the range of fp16"};
        }
        return serves(operands, problem.precision);
    }
    static std::vector<Packing> packings(O const& op, Problem const& problem) {
        return packings_for(op, problem, operands);
    }
};

}  // namespace vitrum::cuda
