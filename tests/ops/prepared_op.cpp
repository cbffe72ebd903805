// SPDX-License-Identifier: Apache-2.0
#include "prepared_op.h"

#include <algorithm>
#include <cstring>

namespace vitrum::test {
namespace {

constexpr std::size_t kGuardBytes = 4096;

std::size_t bytes_of(Shape const& shape, std::int64_t pixel_stride) {
    return static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * pixel_stride) * sizeof(float);
}

/// Packed values to pixels `stride` floats apart; the floats between stay what they are.
void scatter(std::vector<float> const& values, Nhwc<float> const& to) {
    for (std::int64_t p = 0; p < to.pixels(); ++p) {
        std::memcpy(to.data + p * to.stride, values.data() + p * to.c, static_cast<std::size_t>(to.c) * sizeof(float));
    }
}

}  // namespace

PreparedOp::PreparedOp(Backend const& backend, OpCase const& c, Values const& values, ThreadPool& threads, int in_place,
                       Precision precision)
    : op_(c.op), threads_(&threads), device_(backend.memory()) {
    Problem problem = c.problem();
    problem.precision = precision;
    selection_ = backend.select(c.op, problem, threads.size());
    if (refused()) return;

    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        CaseInput const& input = c.inputs[i];
        if (input.same_as >= 0) inputs_.push_back(inputs_[static_cast<std::size_t>(input.same_as)]);
        else add_input(backend, input, values[i]);
    }
    pack_weights();

    for (Value const& output : c.outputs()) {
        auto const [dtype, shape] = output.dense_type();
        if (output.layout == Layout::dense) {
            bool const takes = in_place >= 0 && outputs_.empty();
            auto const bytes = static_cast<std::size_t>(shape.count()) * size_of(dtype);
            std::byte* const data = takes ? inputs_[static_cast<std::size_t>(in_place)].data
                                          : own(bytes, GuardedMemory::Fill::nan, kGuardBytes).data();
            outputs_.push_back({data, dtype, shape, shape.contiguous_strides()});
            continue;
        }
        std::int64_t const stride = backend.pixel_stride(shape[3]);
        if (in_place >= 0 && outputs_.empty()) {  // only the first output ever takes an input's place
            TensorView const& taken = inputs_[static_cast<std::size_t>(in_place)];
            VITRUM_ASSERT(bytes_of(shape, stride) <= bytes_of(taken.shape, taken.strides[2]));
            outputs_.push_back(nhwc_view(taken.data, shape, stride));
        } else {
            auto const& memory = own(bytes_of(shape, stride), GuardedMemory::Fill::nan, kGuardBytes);
            outputs_.push_back(nhwc_view(memory.data(), shape, stride));
        }
    }
    workspace_ = own(selection_.workspace_bytes, GuardedMemory::Fill::nan, kGuardBytes).data();
    launch_ = {.inputs = inputs_, .outputs = outputs_, .packed = packed_, .workspace = workspace_, .threads = threads_};
    if (device_ != nullptr) copy_to_device();
}

/// The host's address as the device's: both have the same guards around the same memory.
std::byte* PreparedOp::on_device(std::byte const* address) const {
    for (std::size_t i = 0; i < memory_.size(); ++i) {
        auto const all = memory_[i].all();
        if (address >= all.data() && address < all.data() + all.size()) {
            return blocks_[i].data() + (address - all.data());
        }
    }
    return nullptr;  // of an absent input
}

void PreparedOp::copy_to_device() {
    for (GuardedMemory const& memory : memory_) {
        blocks_.push_back(device_->allocate(memory.all().size()));
        device_->upload(blocks_.back().data(), memory.all().data(), memory.all().size());
    }
    device_inputs_ = inputs_;
    device_outputs_ = outputs_;
    for (TensorView& view : device_inputs_) view.data = on_device(view.data);
    for (TensorView& view : device_outputs_) view.data = on_device(view.data);
    for (std::byte const* const weights : packed_) device_packed_.push_back(on_device(weights));
    queue_ = device_->make_queue();
    queue_->enter();
    launch_ = {.inputs = device_inputs_,
               .outputs = device_outputs_,
               .packed = device_packed_,
               .workspace = on_device(workspace_),
               .stream = queue_->handle()};
}

/// What the device made of the memory, guards included.
void PreparedOp::fetch() {
    if (device_ == nullptr) return;
    if (std::optional<Error> const error = queue_->launch_error()) throw Error(*error);
    for (std::size_t i = 0; i < memory_.size(); ++i) {
        queue_->download(memory_[i].all().data(), blocks_[i].data(), blocks_[i].size_bytes);
    }
    queue_->wait();
}

GuardedMemory& PreparedOp::own(std::size_t bytes, GuardedMemory::Fill fill, std::size_t guard_bytes) {
    return memory_.emplace_back(bytes, fill, guard_bytes);
}

void PreparedOp::add_input(Backend const& backend, CaseInput const& input, std::vector<float> const& values) {
    if (!input.present()) {
        inputs_.emplace_back();
    } else if (input.role == Role::dense) {
        add_dense_input(input, values);
    } else if (input.role == Role::weight) {
        // A weight may lie anywhere in a mapped file: aligned to a float and no more. A device has a copy.
        std::size_t const alignment = device_ == nullptr ? alignof(float) : Buffer::kAlignment;
        auto const& memory =
            memory_.emplace_back(values.size() * sizeof(float), GuardedMemory::Fill::nan, 0, alignment);
        std::memcpy(memory.data(), values.data(), memory.size_bytes());
        inputs_.push_back({memory.data(), DType::f32, input.shape, input.shape.contiguous_strides()});
    } else {
        std::int64_t const stride = backend.pixel_stride(input.shape[3]);
        VITRUM_ASSERT(stride >= input.shape[3]);
        auto const& memory = own(bytes_of(input.shape, stride), GuardedMemory::Fill::nan);
        inputs_.push_back(nhwc_view(memory.data(), input.shape, stride));
        scatter(values, nhwc(inputs_.back()));
    }
}

void PreparedOp::add_dense_input(CaseInput const& input, std::vector<float> const& values) {
    auto const& memory = own(values.size() * size_of(input.dtype), GuardedMemory::Fill::nan);
    for (std::size_t i = 0; i < values.size(); ++i) {
        auto const integer = static_cast<std::int64_t>(values[i]);
        auto const put = [&]<class T>(T value) { std::memcpy(memory.data() + i * sizeof value, &value, sizeof value); };
        switch (input.dtype) {
            case DType::f32: put(values[i]); break;
            case DType::i64: put(integer); break;
            case DType::i32: put(static_cast<std::int32_t>(integer)); break;
            case DType::i16: put(static_cast<std::int16_t>(integer)); break;
            case DType::u16: put(static_cast<std::uint16_t>(integer)); break;
            case DType::i8: put(static_cast<std::int8_t>(integer)); break;
            case DType::u8: put(static_cast<std::uint8_t>(integer)); break;
            case DType::boolean: put(values[i] > 0); break;
            default:
                VITRUM_ASSERT(is_narrow(input.dtype));
                memory.data()[i] = std::byte{is_floating(input.dtype) ? float_to_narrow(input.dtype, double{values[i]})
                                                                      : integer_to_narrow(input.dtype, integer)};
        }
    }
    inputs_.push_back({memory.data(), input.dtype, input.shape, input.shape.contiguous_strides()});
}

void PreparedOp::pack_weights() {
    for (Packing const& packing : selection_.packings) {
        TensorView const& weight = inputs_[static_cast<std::size_t>(packing.input)];
        auto const& memory = own(packing.bytes, GuardedMemory::Fill::zero, kGuardBytes);
        packing.pack(reinterpret_cast<float const*>(weight.data), weight.shape, packing.key, memory.data());
        packed_.push_back(memory.data());
    }
}

void PreparedOp::run() {
    selection_.launch(op_, launch_);
}

std::vector<float> PreparedOp::output() {
    fetch();
    std::vector<float> values;
    for (TensorView const& output : outputs_) {
        auto const start = values.size();
        values.resize(start + static_cast<std::size_t>(output.shape.count()));
        copy_to_f32({output.data, output.dtype, output.shape, output.strides}, values.data() + start);
    }
    return values;
}

bool PreparedOp::guards_intact() {
    fetch();
    for (GuardedMemory const& memory : memory_) {
        if (!memory.guards_intact()) return false;
    }
    return true;
}

std::size_t PreparedOp::bytes() const {
    std::size_t total = 0;
    for (TensorView const& view : inputs_) {
        if (view.data != nullptr) total += static_cast<std::size_t>(view.shape.count()) * sizeof(float);
    }
    for (TensorView const& view : outputs_) total += static_cast<std::size_t>(view.shape.count()) * sizeof(float);
    return total;
}

}  // namespace vitrum::test
