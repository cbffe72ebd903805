// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "backends/backend.h"
#include "backends/memory.h"
#include "base/threads.h"
#include "program.h"

namespace vitrum {

/// A step of the program with every address filled in.
struct BoundStep {
    Step const* step;
    Op const* op;
    void (*function)(Op const&, Launch const&);
    Launch launch;
    double done_fraction;  ///< of the run's expected time, when this step is over
};

/// An input or output of the network: where kernels find it, and where the caller does. On the host that is one place.
struct Edge {
    TensorView view;
    std::byte* host;
    std::size_t bytes;

    [[nodiscard]] bool is_staged() const { return host != view.data; }
};

/// What a session has for its programs, one of which runs at a time.
struct SessionMemory {
    Memory& memory;
    Queue& queue;
    ThreadPool& threads;
    Block arena;
    Block staging;  ///< the host's side of inputs and outputs, where the device has memory of its own

    /// Makes room for a program. Whether blocks moved, so that no program is bound any more; they do also where far too
    /// much is held. Where memory cannot be had nothing is held.
    bool reserve(Program const& program);
};

/// What a session records work with that may not come again, each time anew: a recording that is given other addresses
/// and sizes is one launch, where the driver makes those of single kernels one after the other for all sessions.
struct SpareRecording {
    std::unique_ptr<Recording> recording;
    int runs = 0;  ///< of work without a recording of its own

    [[nodiscard]] std::size_t bytes() const { return recording ? recording->bytes() : 0; }
};

/// Work that a queue gets again and again. A recording of its own costs as much as a run or two, and a folder of
/// different pictures has each size once or twice, so that it gets one the third time.
class Repeated {
public:
    /// `spare`: for the first times; null: they are done as they stand.
    void run(Queue& queue, SpareRecording* spare, std::function<void()> const& work);
    [[nodiscard]] std::size_t bytes() const { return recording_ ? recording_->bytes() : 0; }

private:
    std::unique_ptr<Recording> recording_;
    int runs_ = 0;  ///< without it
};

/// A program on a session's memory, valid while that stays where it is.
class BoundProgram {
public:
    /// Packs the weights that are not packed yet.
    BoundProgram(std::shared_ptr<Program const> program, SessionMemory& on);

    /// Of host and device, beside memory and weights that programs share.
    [[nodiscard]] std::size_t bytes() const { return own_bytes_ + whole_run.bytes() + all_steps.bytes(); }

    std::shared_ptr<Program const> program;
    std::vector<BoundStep> once;   ///< read no picture; what they write stays until another program runs
    std::vector<BoundStep> steps;  ///< of a run
    std::vector<Edge> inputs, outputs;
    Repeated whole_run;             ///< steps, and copies between the device and the host
    Repeated all_steps;             ///< the steps alone
    std::size_t counted_bytes = 0;  ///< by whoever adds up those of many

private:
    [[nodiscard]] TensorView resolve(Operand const& operand) const;
    [[nodiscard]] TensorView resolve(Operand const& operand, ValueId id) const;
    void bind_edges();
    void make_room();
    [[nodiscard]] Launch bind_step(Step const& step);

    [[nodiscard]] std::size_t own_bytes() const;

    SessionMemory& on_;
    std::vector<TensorView> views_;         ///< of all steps, one after the other
    std::vector<std::byte const*> packed_;  ///< likewise
    std::size_t own_bytes_ = 0;             ///< without recordings
};

}  // namespace vitrum
