// SPDX-License-Identifier: Apache-2.0
#include "settings.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "formats/text.h"

namespace vitrum {
namespace {

using Json = nlohmann::json;

/// Takes the text event by event: no tree is built, and nothing recurses.
class LeafEvents final : public nlohmann::json_sax<Json> {
public:
    LeafEvents(std::string_view file, Settings& settings) : file_(file), settings_(settings) {}

    bool start_object(std::size_t /*elements*/) override { return open(kObject); }
    bool start_array(std::size_t /*elements*/) override { return open(0); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(std::string& name) override {
        levels_.back().name = one_line(name);
        return true;
    }
    bool string(std::string& text) override { return leaf(one_line(text)); }
    bool boolean(bool value) override { return leaf(value ? "true" : "false"); }
    bool number_integer(std::int64_t value) override { return leaf(std::to_string(value)); }
    bool number_unsigned(std::uint64_t value) override { return leaf(std::to_string(value)); }
    bool number_float(double /*value*/, std::string const& text) override { return leaf(text); }
    bool null() override { return leaf(""); }
    bool binary(Json::binary_t& /*value*/) override { return false; }
    bool parse_error(std::size_t at, std::string const& /*token*/, Json::exception const& /*error*/) override {
        fail("{}: no valid JSON (byte {}); download or copy the file again", file_, at > 0 ? at - 1 : 0);
    }

private:
    static constexpr std::int64_t kObject = -1;
    struct Level {
        std::int64_t index;  ///< of the next element of a list, or kObject
        std::string name;    ///< of the value that comes next
    };

    bool open(std::int64_t index) {
        constexpr std::size_t kDeepest = 64;
        if (levels_.size() == kDeepest) fail("{}: JSON nested deeper than {} levels", file_, kDeepest);
        levels_.push_back({index, "0"});
        return true;
    }
    bool close() {
        levels_.pop_back();
        return advance();
    }
    bool leaf(std::string text) {
        if (!text.empty()) settings_.insert_or_assign(path(), std::move(text));
        return advance();
    }
    bool advance() {
        if (levels_.empty() || levels_.back().index == kObject) return true;
        levels_.back().name = std::to_string(++levels_.back().index);
        return true;
    }
    [[nodiscard]] std::string path() const {
        std::string text;
        for (Level const& level : levels_) text += (text.empty() ? "" : ".") + level.name;
        return text;
    }

    std::string_view file_;
    Settings& settings_;
    std::vector<Level> levels_;
};

}  // namespace

Settings read_settings(Source const& source) {
    constexpr std::size_t kLongest = std::size_t{64} << 20;  // an index of a million tensors
    if (source.bytes.size() > kLongest) {
        fail("{}: {} bytes, too long for a configuration", source.name, source.bytes.size());
    }
    Settings settings;
    LeafEvents events(source.name, settings);
    auto const text = as_text(source.bytes);
    Json::sax_parse(text.begin(), text.end(), &events);
    return settings;
}

Settings parse_settings(std::string_view json, std::string const& name) {
    return read_settings({name, as_bytes(json), nullptr});
}

}  // namespace vitrum
