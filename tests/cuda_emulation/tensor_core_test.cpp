// SPDX-License-Identifier: Apache-2.0
// The emulated instructions of tensor cores, by a product whose fragments come from shared memory.
#include <gtest/gtest.h>

#include <ptx/tensor_core.cuh>
#include <vector>

namespace vitrum::cuda {
namespace {

constexpr int kRows = 16, kColumns = 8;

/// y [16][8] = a [16][eight registers] · b [8 columns][eight registers]ᵀ by one warp.
template <class Operand>
void multiply_kernel(std::uint32_t const* a, std::uint32_t const* b, float* y) {
    auto& shared = dynamic_shared<std::uint32_t[kRows + kColumns][8]>();
    int const lane = static_cast<int>(threadIdx.x);
    for (int i = lane; i < 2 * kRows; i += 32) copy_async(&shared[i / 2][i % 2 * 4], a + 4 * i);
    for (int i = lane; i < 2 * kColumns; i += 32) copy_async(&shared[kRows + i / 2][i % 2 * 4], b + 4 * i);
    commit_copies();
    wait_for_copies<0>();
    __syncwarp();
    std::uint32_t of_a[4], of_b[4];
    load_matrices(of_a, &shared[lane % 16][lane / 16 * 4]);
    load_matrices(of_b, &shared[kRows + lane % 8][lane / 8 % 2 * 4]);
    float sums[4] = {};
    multiply_add<Operand>(sums, of_a, {of_b[0], of_b[1]});
    for (int i = 0; i < 4; ++i) y[(lane / 4 + i / 2 * 8) * kColumns + lane % 4 * 2 + i % 2] = sums[i];
}

/// Small whole numbers, which every operand type holds exactly.
template <class Operand>
void check_product() {
    constexpr int kDepth = 8 * Operand::kPerRegister;
    auto const number = [](int row, int k) { return static_cast<float>((row * 7 + k * 3) % 11 - 5); };
    std::vector<std::uint32_t> a, b;
    for (int row = 0; row < kRows + kColumns; ++row) {
        for (int k = 0; k < kDepth; k += Operand::kPerRegister) {
            auto& to = row < kRows ? a : b;
            if constexpr (Operand::kPerRegister == 2) to.push_back(Operand::pack(number(row, k), number(row, k + 1)));
            else to.push_back(Operand::pack(number(row, k)));
        }
    }
    std::vector<float> y(kRows * kColumns);
    emulation::run(dim3(1), dim3(32), sizeof(std::uint32_t) * 8 * (kRows + kColumns),
                   [&] { multiply_kernel<Operand>(a.data(), b.data(), y.data()); });
    for (int row = 0; row < kRows; ++row) {
        for (int column = 0; column < kColumns; ++column) {
            float sum = 0;
            for (int k = 0; k < kDepth; ++k) sum += number(row, k) * number(kRows + column, k);
            EXPECT_EQ(y[static_cast<std::size_t>(row * kColumns + column)], sum) << row << ", " << column;
        }
    }
}

TEST(EmulatedTensorCores, MultiplyFragmentsOfEachOperandType) {
    check_product<Fp16>();
    check_product<Bf16>();
    check_product<Tf32>();
}

TEST(EmulatedTensorCores, LoadMatricesTransposed) {
    std::vector<std::uint16_t> matrices(4 * 64);
    for (std::size_t i = 0; i < matrices.size(); ++i) matrices[i] = static_cast<std::uint16_t>(i);
    emulation::run(dim3(1), dim3(32), 0, [&] {
        int const lane = static_cast<int>(threadIdx.x);
        std::uint32_t to[4];
        load_matrices_transposed(to, &matrices[static_cast<std::size_t>(lane) * 8]);
        for (int m = 0; m < 4; ++m) {
            EXPECT_EQ(to[m] & 0xFFFF, static_cast<unsigned>(m * 64 + lane % 4 * 16 + lane / 4));
            EXPECT_EQ(to[m] >> 16, static_cast<unsigned>(m * 64 + lane % 4 * 16 + 8 + lane / 4));
        }
    });
}

TEST(EmulatedTensorCores, CopiesArriveWhenTheirGroupIsWaitedFor) {
    std::vector<float> from(8, 1.0F), to(8, 0.0F);
    emulation::run(dim3(1), dim3(1), 0, [&] {
        copy_async(&to[0], &from[0]);
        commit_copies();
        copy_async(&to[4], &from[4]);
        commit_copies();
        wait_for_copies<1>();
        EXPECT_EQ(to, (std::vector<float>{1, 1, 1, 1, 0, 0, 0, 0}));
        wait_for_copies<0>();
        EXPECT_EQ(to[4], 1);
    });
}

}  // namespace
}  // namespace vitrum::cuda
