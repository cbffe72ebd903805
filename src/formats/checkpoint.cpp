// SPDX-License-Identifier: Apache-2.0
#include "formats/checkpoint.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "formats/file_kind.h"
#include "formats/text.h"
#include "plain_pickle.h"
#include "safetensors.h"
#include "torch_legacy.h"
#include "torch_zip.h"

namespace vitrum {
namespace {

Checkpoint read_by_kind(Source const& source) {
    switch (file_kind(source.bytes)) {
        case FileKind::zip: return read_torch_zip(source);
        case FileKind::torch_legacy: return read_torch_legacy(source);
        case FileKind::pickle: return read_plain_pickle(source);
        case FileKind::safetensors: return read_safetensors(source);
        case FileKind::onnx: fail("{}: an ONNX graph, where a checkpoint is wanted", source.name);
        case FileKind::engine: fail("{}: a compiled engine, where a checkpoint is wanted", source.name);
        case FileKind::other: break;
    }
    fail("{}: {}", source.name, describe_other_file(source.bytes));
}

}  // namespace

void refuse_repeated_names(Checkpoint const& checkpoint) {
    std::unordered_set<std::string_view> names;
    for (auto const& tensor : checkpoint.tensors) {
        if (names.insert(tensor.name).second) continue;
        fail("{}: two tensors are named \"{}\"; rename one and save again", checkpoint.path.string(),
             excerpt(tensor.name));
    }
}

CheckpointTensor const* Checkpoint::find(std::string_view name) const {
    auto const found = std::ranges::find(tensors, name, &CheckpointTensor::name);
    return found == tensors.end() ? nullptr : &*found;
}

Checkpoint read_checkpoint(std::span<std::byte const> bytes, std::filesystem::path const& name,
                           std::shared_ptr<void const> owner) {
    Checkpoint checkpoint = read_by_kind({name.string(), bytes, std::move(owner)});
    refuse_repeated_names(checkpoint);
    return checkpoint;
}

}  // namespace vitrum
