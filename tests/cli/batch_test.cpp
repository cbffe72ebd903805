// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <gtest/gtest.h>

namespace vitrum::cli {
namespace {

/// Says of every picture that some of its runs were made again.
class RepeatingTask final : public BatchTask {
public:
    explicit RepeatingTask(Reruns reruns) : reruns_(reruns) {}
    JobReport process(Job const&, Progress const&) override { return {"a line", {}, Json::object(), reruns_}; }
    [[nodiscard]] std::string done_word() const override { return "done"; }

private:
    Reruns reruns_;
};

struct Printed {
    std::string out, err;
};

Printed run(Reruns reruns, BatchOptions const& options) {
    RepeatingTask task(reruns);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    EXPECT_EQ(run_batch(task, options, {{"a.png", "b.png"}, {"c.png", "d.png"}}), 0);
    return {testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

int count(std::string const& text, std::string const& part) {
    int found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

TEST(Batch, RunsThatWereMadeAgainAreWarnedOfOnceAndToldWithEachPicture) {
    std::string const text = run({2, 0}, {}).err;
    EXPECT_EQ(count(text, "warning"), 1) << text;
    EXPECT_EQ(count(text, "a line, 2 runs again in tf32"), 2) << text;

    Printed const json = run({2, 1}, {.json = true});
    EXPECT_EQ(count(json.out, R"("run_again":{"tf32":2,"fp32":1})"), 2) << json.out;
    EXPECT_EQ(count(json.err, "warning"), 1) << json.err;
    EXPECT_EQ(count(run({1, 0}, {.quiet = true}).err, "warning"), 1) << "quiet is about progress";
    EXPECT_EQ(count(run({}, {}).err, "warning"), 0);
}

}  // namespace
}  // namespace vitrum::cli
