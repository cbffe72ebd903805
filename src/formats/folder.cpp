// SPDX-License-Identifier: Apache-2.0
// Where the weights that a path names lie: a file, or a Hugging Face model folder with the weights in one file or in
// shards that an index lists, and config.json.
#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "base/mapped_file.h"
#include "formats/checkpoint.h"
#include "formats/text.h"
#include "settings.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfig = "config.json";
constexpr std::string_view kPreprocessor = "preprocessor_config.json";
// In the order in which transformers looks for them.
constexpr std::array<std::string_view, 2> kWeights = {"model.safetensors", "pytorch_model.bin"};
constexpr std::array<std::string_view, 2> kIndexes = {"model.safetensors.index.json", "pytorch_model.bin.index.json"};
constexpr std::string_view kWeightMap = "weight_map.";

bool is_file(fs::path const& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

Checkpoint open_file(fs::path const& path) {
    auto file = std::make_shared<MappedFile>(path);
    auto const bytes = file->bytes();
    return read_checkpoint(bytes, path, std::move(file));
}

Settings settings_of(fs::path const& path) {
    auto const file = std::make_shared<MappedFile const>(path);
    return read_settings({path.string(), file->bytes(), file});
}

Settings settings_if_there(fs::path const& path) {
    return is_file(path) ? settings_of(path) : Settings{};
}

/// Every shard of an index and the tensors that it promises there.
std::map<std::string, std::vector<std::string>> shards_of(fs::path const& index) {
    std::map<std::string, std::vector<std::string>> shards;
    for (auto const& [path, file] : settings_of(index)) {
        if (!path.starts_with(kWeightMap)) continue;
        if (file.find('/') != std::string::npos || file.find('\\') != std::string::npos || file.starts_with('.')) {
            fail("{}: the shard \"{}\" is no file of this folder", index.string(), excerpt(file));
        }
        shards[file].push_back(path.substr(kWeightMap.size()));
    }
    if (shards.empty()) fail("{}: an index without weight_map; download it again", index.string());
    return shards;
}

/// The tensors that the index promises, and no others, so that their names are unique.
void append_shard(Checkpoint& whole, Checkpoint const& shard, std::vector<std::string> const& promised,
                  fs::path const& index) {
    std::map<std::string_view, CheckpointTensor const*> held;
    for (auto const& tensor : shard.tensors) held.emplace(tensor.name, &tensor);
    for (auto const& name : promised) {
        auto const found = held.find(name);
        if (found == held.end()) {
            fail("{}: holds no tensor \"{}\", though {} says so; download both again", shard.path.string(),
                 excerpt(name), index.filename().string());
        }
        whole.tensors.push_back(*found->second);
    }
}

Checkpoint read_shards(fs::path const& index) {
    auto const shards = shards_of(index);
    for (auto const& [file, tensors] : shards) {
        auto const path = index.parent_path() / file;
        if (is_file(path)) continue;
        fail("{}: this shard is missing: {} says that it holds {} tensors, {} among them; download it into the folder",
             path.string(), index.filename().string(), tensors.size(), excerpt(tensors.front()));
    }
    Checkpoint whole;
    auto storages = std::make_shared<std::vector<std::shared_ptr<void const>>>();
    for (auto const& [file, tensors] : shards) {
        auto const shard = open_file(index.parent_path() / file);
        append_shard(whole, shard, tensors, index);
        whole.format = fmt::format("{}, {} shards", shard.format, shards.size());
        storages->push_back(shard.storage);
    }
    whole.storage = std::move(storages);
    return whole;
}

Checkpoint read_weights(fs::path const& folder) {
    for (std::size_t i = 0; i < kWeights.size(); ++i) {
        if (is_file(folder / kWeights[i])) return open_file(folder / kWeights[i]);
        if (is_file(folder / kIndexes[i])) return read_shards(folder / kIndexes[i]);
    }
    fail("{}: a folder without {} or {}: name a folder that holds a Hugging Face model, or the weights file itself",
         folder.string(), kWeights[0], kIndexes[0]);
}

/// Whether one of the folder's indexes lists the file.
bool is_shard(fs::path const& path) {
    if (path.extension() != ".safetensors" && path.extension() != ".bin") return false;
    for (auto const name : kIndexes) {
        auto const index = path.parent_path() / name;
        if (is_file(index) && shards_of(index).contains(path.filename().string())) return true;
    }
    return false;
}

Checkpoint read_folder(fs::path const& folder) {
    Checkpoint checkpoint = read_weights(folder);
    checkpoint.path = folder;
    checkpoint.config = settings_if_there(folder / kConfig);
    checkpoint.preprocessor = settings_if_there(folder / kPreprocessor);
    return checkpoint;
}

/// The folder that a path means: the path itself, or the one around its config.json, its index, or one of the weights
/// files beside these. Nothing where the path is a file on its own.
std::optional<fs::path> model_folder(fs::path const& path) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) return path;
    auto const name = path.filename().string();
    auto const around = path.has_parent_path() ? path.parent_path() : fs::path(".");
    bool const description = name == kConfig || std::ranges::find(kIndexes, name) != kIndexes.end();
    bool const weights = std::ranges::find(kWeights, name) != kWeights.end() && is_file(around / kConfig);
    if (!is_file(path)) return std::nullopt;
    if (description || weights || is_shard(path)) return around;
    return std::nullopt;
}

}  // namespace

Checkpoint open_checkpoint(fs::path const& path) {
    auto const folder = model_folder(path);
    return folder ? read_folder(*folder) : open_file(path);
}

}  // namespace vitrum
