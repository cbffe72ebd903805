// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitrum {

/// Which of some steps are over before others begin: a partial order, in which a step only ever follows ones of smaller
/// numbers.
class Precedence {
public:
    explicit Precedence(std::size_t steps) : words_((steps + kBits - 1) / kBits), bits_(steps * words_) {}

    [[nodiscard]] bool precedes(std::size_t earlier, std::size_t later) const {
        return (bits_[later * words_ + earlier / kBits] >> (earlier % kBits) & 1) != 0;
    }
    /// Lets `later` follow `earlier` and all that precedes it.
    void order(std::size_t earlier, std::size_t later) {
        for (std::size_t i = 0; i < words_; ++i) bits_[later * words_ + i] |= bits_[earlier * words_ + i];
        bits_[later * words_ + earlier / kBits] |= std::uint64_t{1} << (earlier % kBits);
    }

private:
    static constexpr std::size_t kBits = 64;

    std::size_t words_;
    std::vector<std::uint64_t> bits_;  ///< a row for each step: what precedes it
};

}  // namespace vitrum
