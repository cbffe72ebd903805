// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "backends/memory.h"
#include "base/threads.h"
#include "memory.h"
#include "op_case.h"

namespace vitrum::test {

/// A case made ready to run on a backend the way that a program would: kernel chosen, weights packed, activations
/// at the backend's pixel stride. All memory that a kernel may not rely on holds NaN: the padding between pixels,
/// the workspace, the outputs. For a device all of it, guards included, is made on the host and copied there, and
/// copied back for whoever looks at it.
class PreparedOp {
public:
    /// `in_place`: the input (one of reusable_inputs) whose memory the first output takes, or -1.
    PreparedOp(Backend const& backend, OpCase const& c, Values const& values, ThreadPool& threads, int in_place = -1,
               Precision precision = Precision::fp32);

    [[nodiscard]] Selection const& selection() const { return selection_; }
    /// What run() gives the kernel.
    [[nodiscard]] Launch const& launch() const { return launch_; }
    /// Where every kernel refused there is nothing to run.
    [[nodiscard]] bool refused() const { return selection_.launch == nullptr; }
    /// On a device it queues the operator only; output() and guards_intact() wait.
    void run();

    /// The outputs' values, packed row-major, one after the other.
    [[nodiscard]] std::vector<float> output();
    /// Whether the guards around output, workspace and inputs still stand.
    [[nodiscard]] bool guards_intact();
    /// Bytes of inputs, packed or canonical weights, and output: what must move at the least.
    [[nodiscard]] std::size_t bytes() const;

private:
    GuardedMemory& own(std::size_t bytes, GuardedMemory::Fill fill, std::size_t guard_bytes = 0);
    void add_input(Backend const& backend, CaseInput const& input, std::vector<float> const& values);
    void add_dense_input(CaseInput const& input, std::vector<float> const& values);
    void pack_weights();
    void copy_to_device();
    void fetch();
    [[nodiscard]] std::byte* on_device(std::byte const* address) const;

    Op op_;
    Selection selection_;
    std::vector<GuardedMemory> memory_;
    std::vector<TensorView> inputs_;
    std::vector<TensorView> outputs_;
    std::vector<std::byte const*> packed_;
    std::byte* workspace_ = nullptr;
    ThreadPool* threads_;
    Launch launch_;

    // What there is on a device only.
    Memory* device_;
    std::unique_ptr<Queue> queue_;
    std::vector<Block> blocks_;  ///< of each of memory_
    std::vector<TensorView> device_inputs_, device_outputs_;
    std::vector<std::byte const*> device_packed_;
};

}  // namespace vitrum::test
