// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <optional>
#include <unordered_map>

#include "bound_program.h"
#include "engine/engine_data.h"

namespace vitrum {

/// A word on the device that says what was wrong with the numbers of a run (see Fault), and its way to the host.
struct Faults {
    Block device, staging;

    [[nodiscard]] std::uint32_t* word() const { return reinterpret_cast<std::uint32_t*>(device.data()); }
};

/// What of a run on the device's tensors is the caller's.
struct Outside {
    std::vector<TensorView> inputs, outputs;
    void* stream;
};

struct Session::State {
    explicit State(Engine e)
        : engine(std::move(e)),
          queue(engine.data().memory().make_queue()),
          threads(engine.data().memory().is_host() ? engine.options().threads : 1),
          on{engine.data().memory(), *queue, threads, {}, {}} {
        ++engine.data().sessions;
    }
    /// Runs on the device's tensors may still be under way, on memory that goes now.
    ~State() {
        --engine.data().sessions;
        wait_for_all();
    }
    State(State const&) = delete;
    State& operator=(State const&) = delete;

    void wait_for_all() noexcept;

    void prepare(std::shared_ptr<Program const> next);
    BoundProgram& bind(std::shared_ptr<Program const> next);
    void count_bytes(BoundProgram& of);
    void forget_least_used();
    void forget_addresses();
    void bind_with_inputs(std::shared_ptr<Program const> other);
    void go_back_to_asked();
    [[nodiscard]] bool gave_finite() const;

    void launch(BoundStep const& step);
    [[nodiscard]] std::size_t launch_from(std::size_t first);
    void check_launch(BoundStep const& step, std::string_view kernel);
    void begin_step(std::span<std::size_t const> needs);
    void launch_steps(Progress const& progress);
    void launch_all(Progress const& progress);
    [[nodiscard]] SpareRecording* beside_others(SpareRecording& spare);
    void upload_inputs();
    void download_outputs();
    void run(Progress const& progress);
    void count_rerun();

    [[nodiscard]] Outside outside(std::span<DeviceTensor const> inputs, std::span<DeviceTensor const> outputs,
                                  void* stream) const;
    void bind_asked();
    void run_on(Outside const& outside, std::uint32_t* noted);
    void queue_between(Outside const& outside, std::uint32_t* noted);
    [[nodiscard]] Outcome run_and_look(Outside const& outside);

    Engine engine;
    std::unique_ptr<Queue> queue;
    ThreadPool threads;
    SessionMemory on;
    std::list<BoundProgram> bound;  ///< most recently used first, with the current one
    std::unordered_map<Program const*, std::list<BoundProgram>::iterator> places;  ///< in that list
    std::size_t bound_bytes = 0;                                                   ///< of it
    SpareRecording spare_run, spare_steps;  ///< for BoundProgram's whole_run and all_steps
    BoundProgram* current = nullptr;        ///< the asked one's, or a more exact one's
    std::shared_ptr<Program const> asked;   ///< for the sizes, in the engine's precision
    Reruns reruns;
    Faults faults;
    std::optional<InputShapes> shapes;  ///< of the inputs that the program was asked for by, where it was
};

}  // namespace vitrum
