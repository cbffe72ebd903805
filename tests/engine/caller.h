// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/memory.h"
#include "engine/engine_data.h"
#include "vitrum/engine.h"

namespace vitrum::test {

/// Strides of planes of rows of pixels, for [N, H, W, C].
inline std::vector<std::int64_t> planes(std::vector<std::int64_t> const& shape) {
    std::int64_t const h = shape[1], w = shape[2], c = shape[3];
    return {c * h * w, w, 1, h * w};
}

/// A caller of runs on a device's tensors, with a queue and planes of its own.
class Caller {
public:
    explicit Caller(Engine engine) : engine_(std::move(engine)), queue_(engine_.data().memory().make_queue()) {
        queue_->enter();
    }

    /// Queued: the tensor's packed values as planes on the device.
    DeviceTensor give(std::span<float const> values, std::vector<std::int64_t> const& shape) {
        auto const at = planes(shape);
        auto& kept = sent_.emplace_back(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) kept[offset(i, shape, at)] = values[i];
        DeviceTensor const tensor{memory(kept.size() * sizeof(float)), "float32", at};
        queue_->upload(tensor.data, reinterpret_cast<std::byte*>(kept.data()), kept.size() * sizeof(float));
        return tensor;
    }
    DeviceTensor room_for(std::vector<std::int64_t> const& shape, std::string const& dtype = "float32") {
        std::int64_t const count = shape[0] * shape[1] * shape[2] * shape[3];
        return {memory(static_cast<std::size_t>(count) * 8), dtype, planes(shape)};
    }
    /// Waits; the tensor's values, packed.
    template <class T = float>
    std::vector<T> take(DeviceTensor const& tensor, std::vector<std::int64_t> const& shape) {
        auto const count = static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]);
        std::vector<T> lying(count), values(count);
        queue_->download(reinterpret_cast<std::byte*>(lying.data()), tensor.data, count * sizeof(T));
        queue_->wait();
        for (std::size_t i = 0; i < count; ++i) values[i] = lying[offset(i, shape, tensor.strides)];
        return values;
    }
    [[nodiscard]] void* stream() const { return queue_->handle(); }

private:
    static std::size_t offset(std::size_t i, std::vector<std::int64_t> const& shape,
                              std::vector<std::int64_t> const& strides) {
        auto rest = static_cast<std::int64_t>(i);
        std::int64_t at = 0;
        for (std::size_t d = 4; d-- > 0; rest /= shape[d]) at += rest % shape[d] * strides[d];
        return static_cast<std::size_t>(at);
    }
    std::byte* memory(std::size_t bytes) { return owned_.emplace_back(engine_.allocate(bytes)).get(); }

    Engine engine_;
    std::unique_ptr<Queue> queue_;
    std::vector<std::shared_ptr<std::byte>> owned_;
    std::list<std::vector<float>> sent_;
};

}  // namespace vitrum::test
