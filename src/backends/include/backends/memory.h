// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/tensor_view.h"
#include "vitrum/error.h"

// Where activations and weights live, and how a session's work gets there. On the host all of it is memory and calls;
// a device has memory of its own and a queue that runs beside the host. Errors of a device are Error, and memory that
// it refuses is ErrorKind::out_of_memory, as on the host.

namespace vitrum {

/// Memory that goes back to where it came from with its last copy. Must not outlive the Memory that gave it.
struct Block {
    std::shared_ptr<std::byte> owned;
    std::size_t size_bytes = 0;

    [[nodiscard]] std::byte* data() const { return owned.get(); }
};

/// Queued work that was recorded once and runs again as one piece, on the same addresses.
class Recording {
public:
    virtual ~Recording() = default;
    virtual void replay() = 0;
    /// Of memory that it takes, on host and device.
    [[nodiscard]] virtual std::size_t bytes() const = 0;
};

/// What Queue::copy() notes about numbers: bits of a word.
enum Fault : std::uint32_t {
    kNotFinite = 1,   ///< NaN or infinite before
    kOutOfRange = 2,  ///< infinite in the element type that they were converted to
};

/// One session's work on a device, done in the order in which it came. One thread at a time.
class Queue {
public:
    virtual ~Queue() = default;
    /// What kernels launch on (Launch::stream). Null on the host, where they are done when they return.
    [[nodiscard]] virtual void* handle() const = 0;
    /// Makes the device the calling thread's current one; comes before all other work of that thread. Returns what
    /// leave() takes to give the thread back the one that it had: callers have devices of their own.
    virtual int enter() = 0;
    virtual void leave(int before) = 0;
    /// Queued copies. The host's side must stay until wait().
    virtual void upload(std::byte* to, std::byte const* from, std::size_t bytes) = 0;
    virtual void download(std::byte* to, std::byte const* from, std::size_t bytes) = 0;
    /// Queued: the elements of one tensor [N, H, W, C] on the device become those of another, whose strides are others
    /// and whose type may be where both are floating-point. `faults`, if not null, is a word of the device that Fault's
    /// bits are added to. Not asked for on the host.
    virtual void copy(TensorView const& to, TensorView const& from, std::uint32_t* faults) = 0;
    /// What is queued from here on waits for all that another queue of the device was given so far, and the other way
    /// round. It is named as by handle(), the device's own default one by null. Not asked for on the host. Throws Error
    /// (usage) where that one's work is being recorded.
    virtual void follow(void* other) = 0;
    virtual void precede(void* other) = 0;
    /// Why the last kernel could not be launched, if so.
    [[nodiscard]] virtual std::optional<Error> launch_error() = 0;
    /// Returns when everything is done. Throws Error where some of it failed.
    virtual void wait() = 0;
    /// Records what `work` queues instead of running it; null where there is nothing to gain (the host). `older`, if
    /// not null, is a recording of this queue that nobody needs any more and that may become the new one, which costs a
    /// fraction where steps are alike but for sizes and addresses. Its runs that are under way stay as they were.
    [[nodiscard]] virtual std::unique_ptr<Recording> record(std::function<void()> const& work,
                                                            std::unique_ptr<Recording> older) = 0;
    /// While recording: what comes next, until the next call, is a step; they count from 0. It waits for those earlier
    /// steps alone, or, without any, for what came before the first one. Queues may as well do everything in order.
    virtual void begin_step(std::span<std::size_t const> needed) = 0;
    /// Notes when the queue gets here.
    virtual void mark() = 0;
    /// Waits; the seconds from each mark to the next, which are then forgotten.
    [[nodiscard]] virtual std::vector<double> laps() = 0;
};

/// A scope whose work is a queue's.
class Entered {
public:
    explicit Entered(Queue& queue) : queue_(queue), before_(queue.enter()) {}
    ~Entered() { queue_.leave(before_); }
    Entered(Entered const&) = delete;
    Entered& operator=(Entered const&) = delete;

private:
    Queue& queue_;
    int before_;
};

class Memory {
public:
    virtual ~Memory() = default;
    /// Whether the host reads and writes it as it stands, so that nothing is ever copied.
    [[nodiscard]] virtual bool is_host() const = 0;
    /// For kernels: 64-byte aligned, contents undefined. Throws Error (out_of_memory).
    [[nodiscard]] virtual Block allocate(std::size_t bytes) = 0;
    /// The host's side of queued copies. Not asked for where is_host().
    [[nodiscard]] virtual Block allocate_staging(std::size_t bytes) = 0;
    /// Copies to the device at once: weights. Not asked for where is_host().
    virtual void upload(std::byte* to, std::byte const* from, std::size_t bytes) = 0;
    /// What could still be allocated. Not asked for where is_host().
    [[nodiscard]] virtual std::uint64_t free_bytes() const = 0;
    [[nodiscard]] virtual std::unique_ptr<Queue> make_queue() = 0;
};

}  // namespace vitrum
