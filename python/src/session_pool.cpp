// SPDX-License-Identifier: Apache-2.0
#include "session_pool.h"

#include <unistd.h>

namespace vitrum::python {

SessionPool::~SessionPool() {
    forget_sessions_of_parent();
}

/// After fork() the child has the parent's sessions but none of their threads, which no destructor may wait for.
void SessionPool::forget_sessions_of_parent() {
    if (process_ == getpid()) return;
    for (auto& session : idle_) static_cast<void>(session.release());
    idle_.clear();
    process_ = getpid();
}

std::unique_ptr<PreparedSession> SessionPool::take() {
    {
        std::scoped_lock const lock(mutex_);
        forget_sessions_of_parent();
        if (!idle_.empty()) {
            auto session = std::move(idle_.back());
            idle_.pop_back();
            return session;
        }
    }
    return std::make_unique<PreparedSession>(engine_);
}

void SessionPool::give_back(std::unique_ptr<PreparedSession> session) {
    std::scoped_lock const lock(mutex_);
    idle_.push_back(std::move(session));
}

}  // namespace vitrum::python
