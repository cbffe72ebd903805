// SPDX-License-Identifier: Apache-2.0
#include "models/segmentation_info.h"

#include <charconv>
#include <optional>

#include "base/check.h"

namespace vitrum {
namespace {

/// Numbers of preprocessor_config.json.
class Numbers {
public:
    Numbers(Settings const& settings, std::filesystem::path const& path) : settings_(settings), path_(path) {}

    [[nodiscard]] std::optional<double> find(std::string const& key) const {
        auto const found = settings_.find(key);
        if (found == settings_.end() || found->second == "null") return std::nullopt;
        std::string const& text = found->second;
        double value = 0;
        auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        bool const is_number = error == std::errc() && end == text.data() + text.size();
        constexpr double kLargest = 1 << 20;
        if (is_number && value >= 0 && value <= kLargest) return value;
        fail("{}: preprocessor_config.json: {} is {}; expected a number", path_.string(), key, text);
    }
    [[nodiscard]] std::optional<double> find_positive(std::string const& key) const {
        auto const value = find(key);
        if (value && *value == 0) fail("{}: preprocessor_config.json: {} is 0", path_.string(), key);
        return value;
    }

    void read_side(std::string const& key, int& side) const {
        if (auto const value = find_positive(key)) side = static_cast<int>(*value);
    }

private:
    Settings const& settings_;
    std::filesystem::path const& path_;
};

std::vector<std::string> read_class_names(Settings const& config, std::filesystem::path const& path,
                                          std::int64_t classes) {
    std::vector<std::string> names;
    auto const prefix = std::string("id2label.");
    for (auto at = config.lower_bound(prefix); at != config.end() && at->first.starts_with(prefix); ++at) {
        names.emplace_back();
    }
    if (names.empty()) return names;
    if (static_cast<std::int64_t>(names.size()) != classes) {
        fail("{}: config.json names {} classes (id2label), but the weights tell {} apart", path.string(), names.size(),
             classes);
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto const found = config.find(prefix + std::to_string(i));
        if (found == config.end()) fail("{}: config.json: id2label has no class {}", path.string(), i);
        names[i] = found->second;
    }
    return names;
}

}  // namespace

SegmentationInfo read_segmentation_info(Settings const& config, Settings const& preprocessor,
                                        std::filesystem::path const& path, std::int64_t classes) {
    SegmentationInfo info;
    info.class_names = read_class_names(config, path, classes);
    Numbers const numbers(preprocessor, path);
    // Mean and deviation are of pixels after rescaling, by 1/255 as a rule.
    double const unit = 1 / numbers.find_positive("rescale_factor").value_or(1.0 / 255);
    for (std::size_t c = 0; c < 3; ++c) {
        if (auto const mean = numbers.find(fmt::format("image_mean.{}", c))) {
            info.pixel_mean[c] = static_cast<float>(*mean * unit);
        }
        if (auto const deviation = numbers.find_positive(fmt::format("image_std.{}", c))) {
            info.pixel_std[c] = static_cast<float>(*deviation * unit);
        }
    }
    numbers.read_side("size", info.short_edge);  // older files: "size": 800, "max_size": 1333
    numbers.read_side("max_size", info.long_edge);
    numbers.read_side("size.shortest_edge", info.short_edge);
    numbers.read_side("size.longest_edge", info.long_edge);
    numbers.read_side("size.height", info.height);
    numbers.read_side("size.width", info.width);
    if ((info.height == 0) != (info.width == 0)) {
        fail("{}: preprocessor_config.json: size needs both height and width", path.string());
    }
    return info;
}

SegmentationInfo read_segmentation_info(StateDict const& dict, std::int64_t classes) {
    return read_segmentation_info(dict.config(), dict.preprocessor(), dict.path(), classes);
}

}  // namespace vitrum
