// SPDX-License-Identifier: Apache-2.0
// That the harness notices what a wrong kernel does: a test that cannot fail proves nothing.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/threads.h"
#include "cases.h"
#include "copy_check.h"
#include "elementwise_cases.h"
#include "fake_device.h"
#include "harness.h"
#include "memory.h"

namespace vitrum::test {
namespace {

float* data_of(TensorView const& view) {
    return reinterpret_cast<float*>(view.data);
}

/// A backend of wrong additions, one per fault.
class FaultyBackend final : public Backend {
public:
    explicit FaultyBackend(void (*launch)(Op const&, Launch const&), std::vector<int> reusable = {})
        : launch_(launch), reusable_(std::move(reusable)) {}
    [[nodiscard]] std::string_view name() const override { return "faulty"; }
    [[nodiscard]] std::string isa() const override { return "scalar"; }
    [[nodiscard]] std::int64_t pixel_stride(std::int64_t channels) const override { return channels + 2; }
    [[nodiscard]] Selection select(Op const&, Problem const&, int) const override {
        return {.kernel = "faulty",
                .workspace_bytes = 64,
                .packings = {},
                .reusable_inputs = reusable_,
                .launch = launch_,
                .refusals = {}};
    }

private:
    void (*launch_)(Op const&, Launch const&);
    std::vector<int> reusable_;
};

void add(Launch const& launch) {
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    for (std::int64_t p = 0; p < y.pixels(); ++p) {
        for (std::int64_t c = 0; c < y.c; ++c) {
            std::int64_t const at = p * y.stride + c;
            y.data[at] = data_of(launch.inputs[0])[at] + data_of(launch.inputs[1])[at];
        }
    }
}

OpCase const& a_case() {
    static OpCase const c = to_case(AddCase{.name = "faulty", .h = 2, .w = 3, .c = 3});
    return c;
}

void check(void (*launch)(Op const&, Launch const&), std::vector<int> reusable = {}) {
    FaultyBackend const backend(launch, std::move(reusable));
    check_against_reference({{backend}}, a_case());
}

TEST(Harness, AcceptsACorrectKernel) {
    check([](Op const&, Launch const& launch) { add(launch); }, {0, 1});
}

TEST(Harness, SeesAWrongValue) {
    EXPECT_NONFATAL_FAILURE(check([](Op const&, Launch const& launch) {
                                add(launch);
                                if (launch.threads->size() == 2) data_of(launch.outputs[0])[1] += 1e-4F;
                            }),
                            "faulty");
}

TEST(Harness, SeesPaddingInTheResult) {
    EXPECT_NONFATAL_FAILURE(check([](Op const&, Launch const& launch) {
                                add(launch);
                                if (launch.threads->size() == 2)
                                    data_of(launch.outputs[0])[0] += 0 * data_of(launch.inputs[0])[3];
                            }),
                            "nan");
}

TEST(Harness, SeesWorkspaceInTheResult) {
    EXPECT_NONFATAL_FAILURE(check([](Op const&, Launch const& launch) {
                                add(launch);
                                auto const* const workspace = reinterpret_cast<float const*>(launch.workspace);
                                if (launch.threads->size() == 1) data_of(launch.outputs[0])[0] += 0 * workspace[15];
                            }),
                            "nan");
}

TEST(Harness, SeesAStrayWriteAfterTheOutput) {
    EXPECT_NONFATAL_FAILURE(check([](Op const&, Launch const& launch) {
                                add(launch);
                                if (launch.threads->size() == 1) data_of(launch.outputs[0])[2 * 3 * 5] = 0;
                            }),
                            "outside of its memory");
}

TEST(Harness, SeesAStrayWriteBeforeTheWorkspace) {
    EXPECT_NONFATAL_FAILURE(check([](Op const&, Launch const& launch) {
                                add(launch);
                                if (launch.threads->size() == 1) *(launch.workspace - 1) = std::byte{0};
                            }),
                            "outside of its memory");
}

TEST(Harness, SeesAnInputThatIsNotReusable) {
    EXPECT_NONFATAL_FAILURE(check(
                                [](Op const&, Launch const& launch) {
                                    add(launch);
                                    // Reads an input once more after the output is written: wrong only where both are
                                    // the same memory.
                                    if (launch.threads->size() == 3)
                                        data_of(launch.outputs[0])[1] = 0 * data_of(launch.inputs[1])[0] +
                                                                        data_of(launch.inputs[0])[1] +
                                                                        data_of(launch.inputs[1])[1];
                                },
                                {1}),
                            "memory of its own");
}

TEST(Harness, RunsAndLooksAtADevice) {
    FakeLog log;
    auto const device = make_fake_device(log);
    check_against_reference({{*device}}, a_case());
    EXPECT_EQ(log.launches, 1);
    log.stray_write = true;
    auto const strays = make_fake_device(log);
    EXPECT_NONFATAL_FAILURE(check_against_reference({{*strays}}, a_case()), "outside of its memory");
}

TEST(Harness, ReadsFarBeyondAnInputFault) {
    GuardedMemory const memory(64);
    EXPECT_DEATH(*const_cast<std::byte volatile*>(memory.data() + 64) = std::byte{1}, "");
}

TEST(Harness, ErrorIsRelativeToTheRms) {
    EXPECT_DOUBLE_EQ(normalised_error(std::vector{3.0F, 4.5F}, std::vector{3.0F, 4.0F}), 0.5 / std::sqrt(12.5));
    EXPECT_EQ(normalised_error(std::vector{0.0F}, std::vector{0.0F}), 0);
    EXPECT_TRUE(std::isnan(normalised_error(std::vector{NAN}, std::vector{1.0F})));
}

TEST(Cases, NamesAreUnique) {
    std::set<std::string> names;
    for (OpCase const& c : all_cases()) EXPECT_TRUE(names.insert(c.name).second) << c.name;
}

TEST(FakeDevice, CopiesElementsAsDevicesDo) {
    FakeLog log;
    auto const device = make_fake_device(log);
    check_copies(copier_of(*device->memory()));
    check_noted_faults(copier_of(*device->memory()));
}

}  // namespace
}  // namespace vitrum::test
