// SPDX-License-Identifier: Apache-2.0
#include "onnx_info.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>

#include <fmt/ranges.h>

#include "base/check.h"
#include "formats/file_kind.h"
#include "reference/backend.h"

namespace vitrum {
namespace {

constexpr std::string_view kRange = "range";

template <class T>
T number(std::string const& name, std::string const& text) {
    T value{};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !(value > 0)) {
        fail_as(ErrorKind::usage, "--set {}={}: a number above 0 is expected", name, text);
    }
    return value;
}

/// Input and output of a network from picture to picture, at its first sizes.
struct Pictures {
    std::vector<Dim> in, out;
    std::int64_t scale = 0;  ///< 0: it is none
};

Pictures pictures_of(Graph const& graph) {
    Pictures pictures;
    if (graph.inputs.size() != 1 || graph.outputs.size() != 1) return pictures;
    Value const &in = graph.value(graph.inputs[0]), &out = graph.value(graph.outputs[0]);
    if (in.layout != Layout::pixels || out.layout != Layout::pixels) return pictures;
    pictures.in = in.dims;
    pictures.out = out.dims;
    auto const extent = [](Dim const& dim) { return dim.at({}); };
    std::int64_t const scale = extent(out.dims[1]) / extent(in.dims[1]);
    bool const grows = scale >= 1 && scale <= 16 && extent(out.dims[0]) == extent(in.dims[0]) &&
                       extent(out.dims[1]) == scale * extent(in.dims[1]) &&
                       extent(out.dims[2]) == scale * extent(in.dims[2]);
    auto const is_picture = [&](Dim const& channels) { return extent(channels) == 1 || extent(channels) == 3; };
    if (grows && is_picture(in.dims[3]) && is_picture(out.dims[3])) pictures.scale = scale;
    return pictures;
}

}  // namespace

bool is_onnx_file(std::filesystem::path const& path) {
    std::array<char, 64> head{};
    std::ifstream file(path, std::ios::binary);
    file.read(head.data(), head.size());
    auto const size = static_cast<std::size_t>(file.gcount());
    return file_kind(std::as_bytes(std::span(head).first(size))) == FileKind::onnx;
}

Overrides family_settings(OnnxModel const& model, Overrides const& overrides) {
    Overrides others;
    for (auto const& setting : overrides) {
        std::string const& name = setting.first;
        bool const is_extent = std::ranges::any_of(model.graph.inputs, [&](OnnxPort const& input) {
            return input.dims && std::ranges::find(*input.dims, name, &OnnxDim::name) != input.dims->end();
        });
        if (!is_extent && name != kRange) others.insert(setting);
    }
    return others;
}

std::shared_ptr<OnnxSource const> open_onnx_source(std::filesystem::path const& path, Overrides const& overrides) {
    return make_onnx_source(read_onnx(path), overrides);
}

std::shared_ptr<OnnxSource const> make_onnx_source(OnnxModel model, Overrides const& overrides) {
    Overrides const others = family_settings(model, overrides);
    std::map<std::string, std::int64_t> extents;
    for (auto const& [name, text] : overrides) {
        if (name != kRange && !others.contains(name)) extents[name] = number<std::int64_t>(name, text);
    }
    return std::make_shared<OnnxSource const>(std::move(model), std::move(extents));
}

void require_extents(OnnxSource const& source, Overrides const& overrides, std::string const& why_not) {
    Overrides const others = family_settings(source.model(), overrides);
    if (others.empty()) return;
    auto const& [name, value] = *others.begin();
    if (!why_not.empty()) {
        fail_as(ErrorKind::usage, "{}: with --set {}={} not recognised as {}", source.model().path.string(), name,
                value, why_not);
    }
    std::set<std::string, std::less<>> names = {std::string(kRange)};
    for (OnnxPort const& input : source.model().graph.inputs) {
        for (OnnxDim const& dim : input.dims.value_or(std::vector<OnnxDim>{})) {
            if (!dim.name.empty()) names.emplace(dim.name);
        }
    }
    fail_as(ErrorKind::usage, "{}: no extent is named \"{}\"; --set takes: {}", source.model().path.string(), name,
            fmt::join(names, ", "));
}

std::string onnx_format(OnnxSource const& source) {
    OnnxModel const& model = source.model();
    return fmt::format("ONNX, opset {}{}{}", model.opsets.at(""), model.producer.empty() ? "" : ", from ",
                       model.producer);
}

std::optional<double> stated_range(Overrides const& overrides) {
    auto const found = overrides.find(std::string(kRange));
    return found == overrides.end() ? std::nullopt : std::optional(number<double>("range", found->second));
}

ModelInfo onnx_info(OnnxSource const& source, Overrides const& overrides) {
    constexpr std::int64_t kSide = 64;
    Sizes const sizes = source.allowed({1, kSide, kSide});
    Pictures pictures;
    if (source.follows_sizes()) {  // else no picture's size tells what goes in
        pictures =
            pictures_of(source.graph(source.inputs(sizes), *make_reference_backend(), OnnxSource::Edges::pixels));
    }
    ModelInfo info;
    info.family = "ONNX";
    info.format = onnx_format(source);
    info.parameters = source.parameters();
    info.mixes_whole_picture = true;  // nothing says otherwise: tiles could show
    Sizes const fixed = source.allowed({0, 0, 0});
    info.sizes.batch = static_cast<int>(fixed.n);
    info.sizes.height = static_cast<int>(fixed.h);
    info.sizes.width = static_cast<int>(fixed.w);
    if (pictures.scale == 0) {
        info.kind = Task::tensors;
        info.task = "tensors in, tensors out";
        info.variant = "ONNX graph";
        return info;
    }
    auto const range = stated_range(overrides);
    info.value_range = range.value_or(1);
    info.kind = Task::restore;
    info.task = "picture in, picture out";
    info.scale = static_cast<int>(pictures.scale);
    info.in_channels = static_cast<int>(pictures.in[3].at({}));
    info.out_channels = static_cast<int>(pictures.out[3].at({}));
    info.variant = fmt::format("ONNX graph ×{}", info.scale);
    auto const at = fmt::format("the graph at {}×{}", sizes.w, sizes.h);
    info.hyperparameters = {
        {"scale", std::to_string(info.scale), at},
        {"range", fmt::format("{:g}", info.value_range), range ? "--set" : "convention: values 0 … 1"}};
    return info;
}

}  // namespace vitrum
