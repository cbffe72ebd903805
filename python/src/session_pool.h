// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "vitrum/engine.h"

namespace vitrum::python {

/// A session, and what goes in and out of it at the sizes that it was last prepared for here. Tasks prepare the session
/// itself for others.
class PreparedSession {
public:
    explicit PreparedSession(Engine const& engine) : session_(engine) {}

    /// For pictures' sizes or, of ONNX graphs that are of no known family, for the shapes of all inputs.
    template <class SizesOrShapes>
    void prepare(SizesOrShapes const& sizes) {
        session_.prepare(sizes);
        auto const* const last = std::get_if<SizesOrShapes>(&sizes_);
        if (last != nullptr && *last == sizes) return;
        inputs_ = session_.engine().inputs(sizes);
        outputs_ = session_.engine().outputs(sizes);
        sizes_ = sizes;
    }

    [[nodiscard]] Session& session() { return session_; }
    [[nodiscard]] std::vector<TensorInfo> const& inputs() const { return inputs_; }
    [[nodiscard]] std::vector<TensorInfo> const& outputs() const { return outputs_; }

private:
    Session session_;
    std::variant<Sizes, InputShapes> sizes_ = Sizes{0, 0, 0};  ///< of the two below
    std::vector<TensorInfo> inputs_, outputs_;
};

/// The sessions of an engine: as many as calls have been under way at a time. Taking one never waits for another.
class SessionPool {
public:
    explicit SessionPool(Engine engine) : engine_(std::move(engine)) {}
    ~SessionPool();
    SessionPool(SessionPool const&) = delete;
    SessionPool& operator=(SessionPool const&) = delete;

    /// A session for one call; goes back with the lease.
    class Lease {
    public:
        Lease(SessionPool& pool, std::unique_ptr<PreparedSession> session)
            : pool_(pool), session_(std::move(session)) {}
        ~Lease() { pool_.give_back(std::move(session_)); }
        Lease(Lease const&) = delete;
        Lease& operator=(Lease const&) = delete;

        PreparedSession* operator->() const { return session_.get(); }
        PreparedSession& operator*() const { return *session_; }

    private:
        SessionPool& pool_;
        std::unique_ptr<PreparedSession> session_;
    };

    [[nodiscard]] Lease lease() { return {*this, take()}; }
    [[nodiscard]] Engine const& engine() const { return engine_; }

private:
    [[nodiscard]] std::unique_ptr<PreparedSession> take();
    void give_back(std::unique_ptr<PreparedSession> session);
    void forget_sessions_of_parent();

    Engine engine_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<PreparedSession>> idle_;  ///< the last one used at the end
    pid_t process_ = 0;                                   ///< whose threads the idle sessions have
};

}  // namespace vitrum::python
