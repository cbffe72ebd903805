// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

namespace vitrum::hdf5 {

/// An HDF5 identifier of any kind, closed with its own function.
class Handle {
public:
    Handle() = default;
    Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
    ~Handle() {
        if (id_ >= 0 && close_ != nullptr) close_(id_);
    }
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(close_, other.close_);
        return *this;
    }

    [[nodiscard]] hid_t get() const { return id_; }
    explicit operator bool() const { return id_ >= 0; }

private:
    hid_t id_ = -1;
    herr_t (*close_)(hid_t) = nullptr;
};

/// Held around every use of the library, whose usual build may be called by one thread at a time, and which
/// otherwise prints its errors to stderr.
class Lock {
public:
    Lock();

private:
    std::scoped_lock<std::mutex> lock_;
};

/// The innermost thing that went wrong in this thread's last call, as one line.
[[nodiscard]] std::string last_error();

}  // namespace vitrum::hdf5
