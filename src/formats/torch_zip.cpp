// SPDX-License-Identifier: Apache-2.0
#include "torch_zip.h"

#include <algorithm>

#include "base/check.h"
#include "formats/text.h"
#include "pickle.h"
#include "pickle_tensors.h"
#include "zip.h"

namespace vitrum {
namespace {

constexpr std::string_view kPickle = "/data.pkl";

/// The one folder that holds data.pkl, or nothing.
std::optional<std::string_view> root_folder(Source const& source, ZipArchive const& archive) {
    std::optional<std::string_view> root;
    for (auto const& entry : archive.entries()) {
        if (!entry.name.ends_with(kPickle)) continue;
        auto const folder = entry.name.substr(0, entry.name.size() - kPickle.size());
        if (folder.find('/') != std::string_view::npos) continue;
        if (root)
            fail("{}: holds two checkpoints, \"{}\" and \"{}\"; save one per file", source.name, excerpt(*root),
                 excerpt(folder));
        root = folder;
    }
    return root;
}

/// Says what a zip archive without data.pkl is, as far as its names tell.
[[noreturn]] void fail_other_archive(Source const& source, ZipArchive const& archive) {
    auto const any = [&](auto const& holds) { return std::ranges::any_of(archive.entries(), holds, &ZipEntry::name); };
    if (any([](std::string_view name) { return name.ends_with(".npy"); })) {
        fail("{}: a numpy archive (.npz), not a checkpoint; save the model with torch.save(model.state_dict(), ...)",
             source.name);
    }
    for (auto const& entry : archive.entries()) {
        for (std::string_view const suffix : {".pth", ".pt", ".safetensors", ".onnx", ".pkl", ".ckpt"}) {
            if (!entry.name.ends_with(suffix)) continue;
            fail("{}: a zip archive that holds \"{}\"; unzip it and open that file", source.name, excerpt(entry.name));
        }
    }
    fail(
        "{}: a zip archive, but not a checkpoint: it holds no data.pkl; save the model with "
        "torch.save(model.state_dict(), ...)",
        source.name);
}

void refuse_torchscript(Source const& source, ZipArchive const& archive, std::string const& root) {
    bool const has_code = std::ranges::any_of(
        archive.entries(), [&](ZipEntry const& entry) { return entry.name.starts_with(root + "/code/"); });
    if (!has_code && archive.find(root + "/constants.pkl") == nullptr) return;
    fail(
        "{}: a TorchScript program, not a checkpoint; save its weights: "
        "torch.save(torch.jit.load(path).state_dict(), ...)",
        source.name);
}

void refuse_compression(Source const& source, ZipArchive const& archive) {
    for (auto const& entry : archive.entries()) {
        if (entry.stored) continue;
        fail("{}: \"{}\" is compressed, which PyTorch never does; unzip the archive and zip it again with: zip -0 -r",
             source.name, excerpt(entry.name));
    }
}

void refuse_big_endian(Source const& source, ZipArchive const& archive, std::string const& root) {
    auto const* const order = archive.find(root + "/byteorder");
    if (order == nullptr || as_text(order->bytes) == "little") return;
    fail("{}: saved with byte order \"{}\"; load and save it again on a little-endian machine", source.name,
         excerpt(as_text(order->bytes)));
}

}  // namespace

Checkpoint read_torch_zip(Source const& source) {
    ZipArchive const archive(source);
    auto const folder = root_folder(source, archive);
    if (!folder) fail_other_archive(source, archive);
    std::string const root(*folder);
    refuse_torchscript(source, archive, root);
    refuse_compression(source, archive);
    refuse_big_endian(source, archive, root);

    Source const pickle{source.name, archive.find(root + std::string(kPickle))->bytes, source.owner};
    auto const document = pickle::read(pickle);
    std::string const data = root + "/data/";
    return pickle::name_tensors(source, "torch zip", document,
                                [&](pickle::Storage const& storage) -> std::optional<ByteSpan> {
                                    auto const* const entry = archive.find(data + std::string(storage.key));
                                    return entry == nullptr ? std::nullopt : std::optional(entry->bytes);
                                });
}

}  // namespace vitrum
