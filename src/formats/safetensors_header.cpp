// SPDX-License-Identifier: Apache-2.0
#include "safetensors_header.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "formats/text.h"

namespace vitrum {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kHeaderBegin = 8;  ///< of the JSON in the file

/// Takes the header event by event: no tree is built, and every level knows what may stand there.
class HeaderEvents final : public nlohmann::json_sax<Json> {
public:
    HeaderEvents(std::string_view file, SafetensorsHeader& header) : file_(file), header_(header) {}

    bool start_object(std::size_t /*elements*/) override {
        if (level_ == Level::file) level_ = Level::top;
        else if (level_ == Level::top) level_ = key_ == "__metadata__" ? Level::metadata : Level::tensor;
        else unexpected("an object");
        if (level_ == Level::tensor) header_.entries.push_back({key_, {}, {}, {}});
        return true;
    }
    bool end_object() override {
        level_ = level_ == Level::top ? Level::file : Level::top;
        return true;
    }
    bool key(std::string& name) override;
    bool start_array(std::size_t /*elements*/) override {
        if (level_ != Level::tensor || (field_ != "shape" && field_ != "data_offsets")) unexpected("a list");
        level_ = field_ == "shape" ? Level::shape : Level::offsets;
        return true;
    }
    bool end_array() override {
        (level_ == Level::shape ? entry().has_shape : entry().has_offsets) = true;
        level_ = Level::tensor;
        return true;
    }
    bool string(std::string& text) override;
    bool number_unsigned(std::uint64_t value) override;
    bool number_integer(std::int64_t /*value*/) override { unexpected("a negative number"); }
    bool number_float(double /*value*/, std::string const& /*text*/) override { unexpected("a fraction"); }
    bool null() override { unexpected("null"); }
    bool boolean(bool /*value*/) override { unexpected("true or false"); }
    bool binary(Json::binary_t& /*value*/) override { unexpected("binary data"); }
    bool parse_error(std::size_t at, std::string const& /*token*/, Json::exception const& /*error*/) override {
        fail("{}: damaged safetensors header: no valid JSON (byte {}); download or copy the file again", file_,
             kHeaderBegin + (at > 0 ? at - 1 : 0));
    }

private:
    enum class Level { file, top, metadata, tensor, shape, offsets };

    SafetensorsEntry& entry() { return header_.entries.back(); }
    [[noreturn]] void unexpected(std::string_view what) const {
        fail("{}: damaged safetensors header: {} at \"{}\", where the format has none; save the file again", file_,
             what, excerpt(key_));
    }
    [[noreturn]] void repeated(std::string_view name) const {
        fail("{}: damaged safetensors header: \"{}\" is there twice; save the file again", file_, excerpt(name));
    }

    std::string_view file_;
    SafetensorsHeader& header_;
    Level level_ = Level::file;
    std::string key_;    ///< at the top level
    std::string field_;  ///< below it
    std::set<std::string> names_;
};

bool HeaderEvents::key(std::string& name) {
    if (level_ == Level::top) {
        key_ = name;
        if (!names_.insert(name).second) repeated(name);
        return true;
    }
    field_ = name;
    if (level_ == Level::metadata) {
        if (header_.metadata.contains(name)) repeated(name);
        return true;
    }
    bool const again = (name == "dtype" && entry().has_dtype) || (name == "shape" && entry().has_shape) ||
                       (name == "data_offsets" && entry().has_offsets);
    if (again) repeated(key_ + "." + name);
    if (name != "dtype" && name != "shape" && name != "data_offsets") unexpected("the field \"" + excerpt(name) + "\"");
    return true;
}

bool HeaderEvents::string(std::string& text) {
    if (level_ == Level::metadata) {
        header_.metadata.emplace(field_, text);
    } else if (level_ == Level::tensor && field_ == "dtype") {
        entry().dtype = text;
        entry().has_dtype = true;
    } else {
        unexpected("text");
    }
    return true;
}

bool HeaderEvents::number_unsigned(std::uint64_t value) {
    if (level_ == Level::shape) {
        // One that does not fit turns negative, which no shape may be.
        entry().shape.push_back(static_cast<std::int64_t>(value));
    } else if (level_ == Level::offsets) {
        entry().offsets.push_back(value);
    } else {
        unexpected("a number");
    }
    return true;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view file, std::string_view json) {
    SafetensorsHeader header;
    HeaderEvents events(file, header);
    Json::sax_parse(json.begin(), json.end(), &events);
    return header;
}

}  // namespace vitrum
