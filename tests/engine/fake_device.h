// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "backends/backend.h"
#include "backends/memory.h"

namespace vitrum::test {

/// What a fake device has seen and what it shall do.
struct FakeLog {
    std::size_t memory_limit = SIZE_MAX;              ///< bytes that may be allocated together
    bool hides_limit = false;                         ///< answers that all of the address space is free
    std::string refuse_launch_of;                     ///< an operator's name
    ErrorKind refusal = ErrorKind::failed;            ///< of that launch
    bool stray_write = false;                         ///< kernels write a byte before their workspace
    std::size_t longest_chain = 0;                    ///< steps of its kernel for layers of attention and Mlp; 0: none
    bool rounds = false;                              ///< convolutions round their pictures as their precision says
    std::map<Precision, std::size_t> more_workspace;  ///< bytes that kernels ask for beside what they need
    std::set<Precision> precisions;                   ///< that kernels were asked for
    std::size_t recording_bytes = 0;                  ///< that each recording says it takes
    bool refuses_updates = false;                     ///< makes each recording anew
    std::atomic<int> recordings = 0, updates = 0, replays = 0, launches = 0;
    std::atomic<int> chains = 0, chained = 0;  ///< kernels of several steps, and these
    std::atomic<int> overtaken = 0;  ///< how often a step was replayed that had been recorded before the one before it
    std::map<std::byte const*, int> weight_uploads;  ///< by the host's address
    std::size_t bytes_held = 0, staging_held = 0;
};

/// A device for tests: the reference backend's kernels, on memory that has other addresses than the host's and holds
/// NaN at first. Nothing that is queued happens before wait(). What is recorded
/// is replayed in another order where its steps allow one. It throws std::logic_error where an address that is not
/// the device's reaches a kernel, or work comes from a thread that did not enter(). `log` must outlive it. Sessions may
/// run on it side by side.
[[nodiscard]] std::unique_ptr<Backend const> make_fake_device(FakeLog& log);

}  // namespace vitrum::test
