// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "prepared_op.h"
#include "reference/backend.h"

namespace vitrum::test {
namespace {

std::string refusals(Selection const& selection) {
    std::string text;
    for (Refusal const& refusal : selection.refusals) text += fmt::format("\n  {}: {}", refusal.kernel, refusal.why);
    return text;
}

/// Overwriting an input overwrites every input that shares its memory: all of them must be reusable.
bool may_overwrite(OpCase const& c, std::vector<int> const& reusable, int index) {
    int const owner = c.inputs[static_cast<std::size_t>(index)].same_as;
    for (int i = 0; i < static_cast<int>(c.inputs.size()); ++i) {
        int const other = c.inputs[static_cast<std::size_t>(i)].same_as;
        bool const shares = i == owner || other == index || (owner >= 0 && other == owner);
        if (shares && std::ranges::find(reusable, i) == reusable.end()) return false;
    }
    return true;
}

/// A case with its values and the reference's result.
struct Known {
    OpCase const& c;
    Values const& values;
    std::vector<float> expected;
};

std::string description(Subject const& subject) {
    return fmt::format("{} in {}", subject.backend.isa(), name_of(subject.precision));
}

/// Where several threads work, one's writes may be what another still has to read; where one does, its own may.
void check_in_place(Subject const& subject, Known const& known, ThreadPool& threads, std::vector<int> const& reusable,
                    std::vector<float> const& expected) {
    Value const output = known.c.outputs()[0];
    for (int const index : reusable) {
        CaseInput const& input = known.c.inputs[static_cast<std::size_t>(index)];
        if (!input.present()) continue;
        // Dense values take the place of others of as many bytes.
        if (input.role == Role::dense && size_of(input.dtype) != size_of(output.dtype)) continue;
        if (!may_overwrite(known.c, reusable, index)) continue;
        SCOPED_TRACE(fmt::format("in place of input {}", index));
        PreparedOp prepared(subject.backend, known.c, known.values, threads, index, subject.precision);
        prepared.run();
        EXPECT_TRUE(prepared.guards_intact());
        EXPECT_EQ(prepared.output(), expected) << "differs from the result in memory of its own";
    }
}

void check(Subject const& subject, Known const& known) {
    SCOPED_TRACE(description(subject));
    int const most = subject.backend.memory() == nullptr ? 3 : 1;  // a device has threads of its own
    for (int count = 1; count <= most; ++count) {
        SCOPED_TRACE(fmt::format("{} threads", count));
        ThreadPool threads(count);
        PreparedOp prepared(subject.backend, known.c, known.values, threads, -1, subject.precision);
        ASSERT_FALSE(prepared.refused()) << "no kernel for " << known.c.name << refusals(prepared.selection());
        prepared.run();
        EXPECT_TRUE(prepared.guards_intact()) << prepared.selection().kernel << " writes outside of its memory";
        auto const result = prepared.output();
        double const error = normalised_error(result, known.expected);
        EXPECT_LE(error, tolerance(known.c, subject.precision)) << prepared.selection().kernel;
        check_in_place(subject, known, threads, prepared.selection().reusable_inputs, result);
    }
}

void check_shows(Subject const& subject, Known const& known) {
    SCOPED_TRACE(description(subject));
    ThreadPool threads(1);
    PreparedOp prepared(subject.backend, known.c, known.values, threads, -1, subject.precision);
    prepared.run();
    auto const result = prepared.output();
    std::size_t hidden = 0;
    for (std::size_t k = 0; k < result.size(); ++k) {
        if (!std::isfinite(known.expected[k]) && std::isfinite(result[k])) ++hidden;
    }
    EXPECT_EQ(hidden, 0U) << prepared.selection().kernel << " hides it in that many results";
}

}  // namespace

double normalised_error(std::span<float const> y, std::span<float const> expected) {
    VITRUM_ASSERT(y.size() == expected.size());
    double worst = 0;
    double squares = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        double const error = std::abs(static_cast<double>(y[i]) - expected[i]);
        if (std::isnan(error)) return std::numeric_limits<double>::quiet_NaN();
        worst = std::max(worst, error);
        squares += static_cast<double>(expected[i]) * expected[i];
    }
    return worst == 0 ? 0 : worst / std::sqrt(squares / static_cast<double>(y.size()));
}

double tolerance(OpCase const& c, Precision precision) {
    // Rounding errors of a sum of K products grow like a random walk: of 1e5 straight float32 sums the worst is off
    // by 1.8e-7 to 2.2e-7 times √K (measured without FMA, K = 9 … 2304). The constant is for the steps around the
    // sum (exp, erf, the division of a norm), each good to a few ε. Long sums must do better than straight ones.
    double const float32 = std::min(1e-5, 1e-6 + 2.2e-7 * std::sqrt(c.reduction)) * c.amplification;
    // Rounding an operand is off by at most u, by u / √3 on average, and a sum's error relates to the sum as one
    // product's does: √(2 / 3) · u. The worst of many results is 4 to 5 times that, and operators chain up to four
    // products (q and k, scores, values, projection): 16 u.
    switch (precision) {
        case Precision::fp32: return float32;
        case Precision::tf32:
        case Precision::fp16: return float32 + 16 * 0x1p-11 * c.amplification;
        case Precision::bf16: return float32 + 16 * 0x1p-8 * c.amplification;
    }
    return 0;
}

std::vector<float> reference_output(OpCase const& c, Values const& values) {
    auto const backend = make_reference_backend();
    ThreadPool threads(available_cores());
    PreparedOp prepared(*backend, c, values, threads);
    VITRUM_ASSERT(!prepared.refused());
    prepared.run();
    return prepared.output();
}

void check_against_reference(std::vector<Subject> const& subjects, OpCase const& c) {
    Values const values = make_values(c);
    Known const known{c, values, reference_output(c, values)};
    for (Subject const& subject : subjects) check(subject, known);
}

bool can_lose(CaseInput const& input) {
    return input.present() && input.role != Role::weight && input.same_as < 0 && input.dtype == DType::f32 &&
           input.shape.count() > 0;
}

void check_lost_numbers_show(std::vector<Subject> const& subjects, OpCase const& c) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        if (!can_lose(c.inputs[i])) continue;
        for (float const lost : {std::nanf("257"), kInfinity, -kInfinity}) {  // NaN from a file may have any payload
            SCOPED_TRACE(fmt::format("{} in input {}", lost, i));
            Values values = make_values(c);
            values[i][values[i].size() * 3 / 5] = lost;
            Known const known{c, values, reference_output(c, values)};
            for (Subject const& subject : subjects) check_shows(subject, known);
        }
    }
}

}  // namespace vitrum::test
