// SPDX-License-Identifier: Apache-2.0
#include "jobs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

/// A folder of empty files: names are all that planning looks at.
class Jobs : public testing::Test {
protected:
    Jobs() {
        for (char const* name : {"a.png", "b.jpg", "notes.txt", ".hidden.png", "sub/c.png", "sub/a.png"}) touch(name);
    }
    ~Jobs() override { fs::remove_all(root_); }

    void touch(fs::path const& name) {
        fs::create_directories((root_ / name).parent_path());
        std::ofstream(root_ / name) << "x";
    }
    [[nodiscard]] std::string at(std::string const& name) const { return (root_ / name).string(); }
    [[nodiscard]] std::vector<Input> collect(std::vector<std::string> const& names, bool recursive = false) const {
        return collect_inputs(names, recursive, at("out"));
    }
    [[nodiscard]] std::vector<std::string> relative(std::vector<Input> const& inputs) const {
        std::vector<std::string> names;
        for (Input const& input : inputs) names.push_back(input.relative.string());
        return names;
    }

    fs::path root_ = fs::temp_directory_path() / ("vitrum_jobs_test_" + std::to_string(getpid()));
};

using Names = std::vector<std::string>;

ErrorKind kind_of(auto const& body) {
    try {
        body();
    } catch (Error const& error) {
        return error.kind();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorKind::failed;
}

TEST_F(Jobs, AFolderStandsForItsPictures) {
    EXPECT_EQ(relative(collect({root_.string()})), (Names{"a.png", "b.jpg"}));
}

TEST_F(Jobs, RecursionKeepsTheStructureAndLeavesTheOutputFolderOut) {
    touch("out/a_x4.png");
    EXPECT_EQ(relative(collect({root_.string()}, true)), (Names{"a.png", "b.jpg", "sub/a.png", "sub/c.png"}));
}

TEST_F(Jobs, PatternsAreExpanded) {
    EXPECT_EQ(relative(collect({at("*.png")})), (Names{"a.png"}));
    EXPECT_EQ(relative(collect({at("*.{png,jpg}")})), (Names{"a.png", "b.jpg"}));
}

TEST_F(Jobs, NamesWithPatternLettersThatExistAreThemselves) {
    touch("we[i]rd*.png");
    EXPECT_EQ(relative(collect({at("we[i]rd*.png")})), (Names{"we[i]rd*.png"}));
}

TEST_F(Jobs, APictureNamedTwiceIsTakenOnce) {
    EXPECT_EQ(collect({at("a.png"), at("sub/../a.png"), root_.string()}).size(), 2U);
}

TEST_F(Jobs, WhatIsNotThereIsAnError) {
    fs::create_directories(root_ / "empty");
    for (std::string const name : {"nothing.png", "*.webp", "empty"}) {
        EXPECT_EQ(kind_of([&] { static_cast<void>(collect({at(name)})); }), ErrorKind::failed) << name;
    }
}

TEST_F(Jobs, WithoutOutputTheResultLiesBesideTheInput) {
    JobPlan const plan = plan_jobs(collect({at("a.png")}), {"", "", "_x4"}, false);
    EXPECT_EQ(plan.jobs.at(0).output, at("a_x4.png"));
}

TEST_F(Jobs, AFolderOutputKeepsSubfolders) {
    JobPlan const plan = plan_jobs(collect({root_.string()}, true), {at("out"), "", "_x2"}, true);
    EXPECT_EQ(plan.jobs.at(1).output, at("out/b_x2.jpg"));
    EXPECT_EQ(plan.jobs.at(3).output, at("out/sub/c_x2.png"));
}

TEST_F(Jobs, OneInputMayNameItsFileOrItsFolder) {
    std::vector<Input> const one = collect({at("a.png")});
    EXPECT_EQ(plan_jobs(one, {at("big.tif"), "", "_x4"}, false).jobs.at(0).output, at("big.tif"));
    EXPECT_EQ(plan_jobs(one, {at("big"), "", "_x4"}, false).jobs.at(0).output, at("big/a_x4.png"));
    EXPECT_EQ(plan_jobs(one, {at("v1.5/"), "", "_x4"}, false).jobs.at(0).output, at("v1.5/a_x4.png"));
    EXPECT_EQ(plan_jobs(one, {at("sub"), "webp", "_x4"}, false).jobs.at(0).output, at("sub/a_x4.webp"));
}

TEST_F(Jobs, SenselessOutputsAreUsageErrors) {
    std::vector<Input> const one = collect({at("a.png")}), two = collect({at("a.png"), at("b.jpg")});
    struct Case {
        std::vector<Input> const& inputs;
        OutputRules rules;
        bool several;
    };
    for (Case const& c : {Case{one, {at("a.png"), "", "_x4"}, false},      // over the input
                          Case{one, {at("sub/../a.png"), "", ""}, false},  // the same by another way
                          Case{one, {"", "", ""}, false},                  // beside, under the same name
                          Case{one, {at("x.xyz"), "", "_x4"}, false},      // no format
                          Case{one, {at("x.png"), "jpg", "_x4"}, false},   // two formats
                          Case{one, {"", "docx", "_x4"}, false},           // no format
                          Case{two, {at("x.png"), "", "_x4"}, true},       // a file for two
                          Case{two, {at("notes.txt"), "", "_x4"}, true}}) {
        EXPECT_EQ(kind_of([&] { static_cast<void>(plan_jobs(c.inputs, c.rules, c.several)); }), ErrorKind::usage)
            << c.rules.out << " " << c.rules.format;
    }
}

TEST_F(Jobs, TwoInputsWithOneOutputAreRefused) {
    std::vector<Input> const inputs = collect({at("a.png"), at("sub/a.png")});
    EXPECT_EQ(kind_of([&] { static_cast<void>(plan_jobs(inputs, {at("out"), "", "_x4"}, true)); }), ErrorKind::usage);
    touch("a.jpg");
    std::vector<Input> const same_stem = collect({at("a.png"), at("a.jpg")});
    EXPECT_EQ(kind_of([&] {
                  static_cast<void>(plan_jobs(same_stem, {at("out"), "webp", ""}, true));
              }),
              ErrorKind::usage);
}

TEST_F(Jobs, ResultsOfAnEarlierRunAreNotEnlargedAgain) {
    touch("a_x4.png");
    JobPlan const plan = plan_jobs(collect({root_.string()}), {"", "", "_x4"}, true);
    EXPECT_EQ(plan.earlier_results, 1);
    EXPECT_EQ(plan.jobs.size(), 2U);
}

}  // namespace
}  // namespace vitrum::cli
