// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "base/check.h"
#include "vitrum/engine.h"

namespace vitrum {

DeviceName device_named(std::string_view name) {
    constexpr std::string_view kNumbered = "cuda:";
    if (name == "cpu") return {Device::cpu};
    if (name == "reference") return {Device::reference};
    if (name == "cuda") return {Device::cuda};
    DeviceName numbered{Device::cuda};
    if (name.starts_with(kNumbered)) {
        char const* const end = name.data() + name.size();
        auto const [rest, error] = std::from_chars(name.data() + kNumbered.size(), end, numbered.index);
        if (error == std::errc() && rest == end && numbered.index >= 0) return numbered;
    }
    fail_as(ErrorKind::usage,
            "device \"{}\": expected cpu, cuda, cuda:N, or reference (slow, the meaning of operators)", name);
}

std::optional<Precision> precision_named(std::string_view name) {
    if (name == "auto") return std::nullopt;
    if (auto const precision = find_precision(name)) return precision;
    fail_as(ErrorKind::usage, "precision \"{}\": expected fp32, tf32, bf16, fp16 or auto", name);
}

std::string device_name(CompileOptions const& options) {
    switch (options.device) {
        case Device::cpu: return "cpu";
        case Device::reference: return "reference";
        case Device::cuda: return fmt::format("cuda:{}", options.device_index);
    }
    VITRUM_ASSERT(false);
}

}  // namespace vitrum
