// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "builtin_classes.h"
#include "vitrum/segment.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

struct Builtin {
    std::string_view name;
    std::span<BuiltinClass const> classes;
};

std::array<Builtin, 3> builtins() {
    return {Builtin{"coco", coco_classes()}, {"ade20k", ade20k_classes()}, {"cityscapes", cityscapes_classes()}};
}

ClassList list_of(Builtin const& builtin) {
    ClassList list{std::string(builtin.name), {}, true};
    for (BuiltinClass const& c : builtin.classes) {
        list.classes.push_back({std::string(c.name), c.is_thing, c.category_id});
    }
    return list;
}

ClassList things_of(ClassList list) {
    std::erase_if(list.classes, [](ClassInfo const& c) { return !c.is_thing; });
    return list;
}

/// The list where it has as many classes as the network, or its things where those are as many.
std::optional<ClassList> fitted(ClassList const& list, std::size_t count) {
    if (list.classes.size() == count) return list;
    ClassList things = things_of(list);
    if (list.knows_stuff && things.classes.size() == count) return things;
    return std::nullopt;
}

std::string read_text(fs::path const& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file) fail("{}: the list of classes cannot be read", path.string());
    return text;
}

/// The categories of a COCO file: an array of {"id", "name", "isthing"}, or an object that has it.
ClassList parse_categories(fs::path const& path, std::string const& text) {
    ClassList list{path.filename().string(), {}, false};
    try {
        nlohmann::json const json = nlohmann::json::parse(text);
        nlohmann::json const& categories = json.is_object() ? json.at("categories") : json;
        for (nlohmann::json const& category : categories) {
            bool const has_kind = category.contains("isthing");
            bool const is_thing = !has_kind || category.at("isthing").get<int>() != 0;
            list.classes.push_back({category.at("name"), is_thing, category.at("id")});
            list.knows_stuff = list.knows_stuff || has_kind;
        }
    } catch (nlohmann::json::exception const& error) {
        fail("{}: not a list of COCO categories ({}); each needs \"id\" and \"name\", and may have \"isthing\"",
             path.string(), error.what());
    }
    return list;
}

/// One name a line.
ClassList parse_names(fs::path const& path, std::string const& text) {
    ClassList list{path.filename().string(), {}, false};
    for (std::size_t begin = 0; begin < text.size();) {
        std::size_t const end = std::min(text.find('\n', begin), text.size());
        std::string name = text.substr(begin, end - begin);
        while (!name.empty() && (name.back() == '\r' || name.back() == ' ')) name.pop_back();
        if (!name.empty()) list.classes.push_back({name, true, static_cast<int>(list.classes.size())});
        begin = end + 1;
    }
    return list;
}

ClassList read_list(fs::path const& path) {
    std::string const text = read_text(path);
    std::size_t const first = text.find_first_not_of(" \t\r\n");
    bool const is_json = first != std::string::npos && (text[first] == '[' || text[first] == '{');
    ClassList list = is_json ? parse_categories(path, text) : parse_names(path, text);
    if (list.classes.empty()) fail("{}: the list of classes is empty", path.string());
    return list;
}

ClassList named_list(std::string const& choice) {
    for (Builtin const& builtin : builtins()) {
        if (choice == builtin.name) return list_of(builtin);
    }
    if (std::error_code ignored; fs::is_regular_file(choice, ignored)) return read_list(choice);
    fail_as(ErrorKind::usage, "--classes {}: neither coco, ade20k or cityscapes nor a file", choice);
}

/// Whether two names mean the same: "road, route" and "road" do.
bool same_name(std::string_view a, std::string_view b) {
    auto const first = [](std::string_view name) {
        name = name.substr(0, name.find(','));
        while (name.ends_with(' ')) name.remove_suffix(1);
        return name;
    };
    return first(a) == first(b);
}

/// Things, stuff and dataset ids for a model's own names, where nine of ten are a dataset's. The names stay.
void recognise(ClassList& list) {
    for (Builtin const& builtin : builtins()) {
        auto const known = fitted(list_of(builtin), list.classes.size());
        if (!known) continue;
        std::size_t same = 0;
        for (std::size_t i = 0; i < list.classes.size(); ++i) {
            if (same_name(list.classes[i].name, known->classes[i].name)) ++same;
        }
        if (same * 10 < list.classes.size() * 9) continue;
        list.knows_stuff = true;
        for (std::size_t i = 0; i < list.classes.size(); ++i) {
            list.classes[i].is_thing = known->classes[i].is_thing;
            list.classes[i].category_id = known->classes[i].category_id;
        }
    }
}

ClassList list_of_names(std::string name, std::vector<std::string> const& names) {
    ClassList list{std::move(name), {}, false};
    for (std::string const& text : names) list.classes.push_back({text, true, static_cast<int>(list.classes.size())});
    recognise(list);
    return list;
}

ClassList conventional_list(std::size_t count) {
    for (Builtin const& builtin : builtins()) {
        auto list = fitted(list_of(builtin), count);
        if (!list) continue;
        list->name += fmt::format(" (by convention: {} classes)", count);
        return *list;
    }
    std::vector<std::string> numbers;
    for (std::size_t i = 0; i < count; ++i) numbers.push_back(fmt::format("class {}", i));
    return list_of_names("numbers", numbers);
}

}  // namespace

ClassList choose_classes(Engine const& engine, std::string const& choice) {
    auto const count = static_cast<std::size_t>(class_count(engine));
    if (choice.empty()) {
        auto const& names = engine.info().segmentation.class_names;
        return names.size() == count ? list_of_names("the model's", names) : conventional_list(count);
    }
    ClassList const list = named_list(choice);
    if (auto fitting = fitted(list, count)) return *fitting;
    auto const things = list.knows_stuff ? fmt::format(" ({} of them things)", things_of(list).classes.size()) : "";
    fail_as(ErrorKind::usage, "--classes {}: the list has {} classes{}, but the model tells {} apart", choice,
            list.classes.size(), things, count);
}

Segmentation default_segmentation(ClassList const& classes) {
    auto const things = std::ranges::count_if(classes.classes, &ClassInfo::is_thing);
    if (!classes.knows_stuff) return Segmentation::panoptic;
    if (things == static_cast<std::ptrdiff_t>(classes.classes.size())) return Segmentation::instance;
    return things == 0 ? Segmentation::semantic : Segmentation::panoptic;
}

}  // namespace vitrum
