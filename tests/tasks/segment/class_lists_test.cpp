// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "colour_network.h"
#include "vitrum/error.h"
#include "vitrum/segment.h"

namespace vitrum {
namespace {

ClassList choose(int classes, std::string const& choice = "") {
    return choose_classes(make_colour_engine({.classes = classes}), choice);
}

std::string refusal(int classes, std::string const& choice) {
    try {
        static_cast<void>(choose(classes, choice));
    } catch (Error const& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        return error.what();
    }
    return "accepted";
}

class ClassFile : public testing::Test {
protected:
    ~ClassFile() override { std::filesystem::remove(path_); }
    std::string write(std::string const& text) {
        std::ofstream(path_) << text;
        return path_;
    }
    std::string path_ =
        testing::TempDir() + "vitrum_classes_" + testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST(ClassLists, AreChosenByName) {
    ClassList const coco = choose(133, "coco");
    EXPECT_EQ(coco.classes.size(), 133U);
    EXPECT_EQ(coco.classes[0].name, "person");
    EXPECT_EQ(coco.classes[79].category_id, 90);
    EXPECT_TRUE(coco.classes[79].is_thing);
    EXPECT_EQ(coco.classes[132].name, "rug-merged");
    EXPECT_EQ(coco.classes[132].category_id, 200);
    EXPECT_FALSE(coco.classes[132].is_thing);
    EXPECT_EQ(choose(150, "ade20k").classes[149].name, "flag");
    EXPECT_EQ(choose(19, "cityscapes").classes[18].category_id, 33);
}

TEST(ClassLists, FitNetworksOfThingsOnly) {
    EXPECT_EQ(choose(80, "coco").classes.back().name, "toothbrush");
    EXPECT_EQ(choose(8, "cityscapes").classes.front().name, "person");
    EXPECT_EQ(choose(100, "ade20k").classes.front().name, "bed");
}

TEST(ClassLists, ThatDoNotFitAreRefusedWithBothNumbers) {
    std::string const text = refusal(11, "coco");
    EXPECT_NE(text.find("133"), std::string::npos) << text;
    EXPECT_NE(text.find("80"), std::string::npos) << text;
    EXPECT_NE(text.find("11"), std::string::npos) << text;
    EXPECT_NE(refusal(11, "pascal").find("neither"), std::string::npos);
}

TEST(ClassLists, FollowTheModelThenTheNumberOfClasses) {
    ClassList const own = choose_classes(make_colour_engine({.classes = 3, .class_names = {"a", "b", "c"}}));
    EXPECT_EQ(own.classes[2].name, "c");
    EXPECT_FALSE(own.knows_stuff);
    EXPECT_EQ(choose(133).classes[0].name, "person");
    EXPECT_TRUE(choose(133).knows_stuff);
    EXPECT_EQ(choose(19).classes[0].name, "road");
    EXPECT_EQ(choose(5).classes[4].name, "class 4");
}

TEST(ClassLists, NamesOfADatasetTellThingsFromStuff) {
    std::vector<std::string> names;
    for (ClassInfo const& c : choose(133, "coco").classes) names.push_back(c.name);
    names[5] = "omnibus";  // a slightly different spelling of the list
    ClassList const list = choose_classes(make_colour_engine({.classes = 133, .class_names = names}));
    EXPECT_TRUE(list.knows_stuff);
    EXPECT_EQ(list.classes[5].name, "omnibus");
    EXPECT_EQ(list.classes[5].category_id, 6);
    EXPECT_FALSE(list.classes[100].is_thing);
    std::ranges::reverse(names);
    EXPECT_FALSE(choose_classes(make_colour_engine({.classes = 133, .class_names = names})).knows_stuff);
}

TEST(ClassLists, SayWhatToSegmentByDefault) {
    EXPECT_EQ(default_segmentation(choose(133)), Segmentation::panoptic);
    EXPECT_EQ(default_segmentation(choose(80)), Segmentation::instance);
    EXPECT_EQ(default_segmentation(choose(5)), Segmentation::panoptic);
}

TEST_F(ClassFile, HoldsANameALine) {
    ClassList const list = choose(4, write("red\r\ngreen\n\nlight blue \nlast"));
    EXPECT_EQ(list.classes[0].name, "red");
    EXPECT_EQ(list.classes[2].name, "light blue");
    EXPECT_EQ(list.classes[3].category_id, 3);
    EXPECT_FALSE(list.knows_stuff);
    EXPECT_NE(refusal(5, path_).find("has 4 classes, but the model tells 5 apart"), std::string::npos);
}

TEST_F(ClassFile, OrHoldsCocoCategories) {
    std::string const text = R"([{"id": 7, "name": "red", "isthing": 1}, {"id": 9, "name": "sky", "isthing": 0}])";
    ClassList const list = choose(2, write(text));
    EXPECT_TRUE(list.knows_stuff);
    EXPECT_EQ(list.classes[1].category_id, 9);
    EXPECT_FALSE(list.classes[1].is_thing);
    EXPECT_EQ(choose(2, write(R"({"categories": )" + text + "}")).classes[0].name, "red");
}

TEST_F(ClassFile, ThatMakesNoSenseIsRefused) {
    for (std::string const text : {"", "\n\n", "[1, 2", R"([{"name": "red"}])", R"({"classes": []})"}) {
        EXPECT_THROW(static_cast<void>(choose(2, write(text))), Error) << text;
    }
}

}  // namespace
}  // namespace vitrum
