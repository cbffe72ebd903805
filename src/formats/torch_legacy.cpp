// SPDX-License-Identifier: Apache-2.0
#include "torch_legacy.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "formats/text.h"
#include "pickle.h"
#include "pickle_globals.h"
#include "pickle_tensors.h"

namespace vitrum {
namespace {

// LONG1 of ten bytes: 0x1950a86a20f9469cfc6c.
constexpr std::string_view kLegacyMagic = "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19";
constexpr std::int64_t kProtocol = 1001;

using Storages = std::unordered_map<std::string_view, ByteSpan>;

/// Element sizes by key. Storages of types that are not read still have a size, or the next would not be found.
std::size_t element_size(std::string_view type) {
    if (type == "ComplexFloatStorage") return 8;
    if (type == "ComplexDoubleStorage") return 16;
    if (type == "QInt32Storage") return 4;
    auto const dtype = pickle::torch_dtype(type);
    return dtype ? size_of(*dtype) : 1;
}

void check_machine(Source const& source, pickle::Document const& facts) {
    auto const* const dict = facts.container(facts.root, pickle::ContainerKind::dict);
    if (dict == nullptr) return;
    for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2) {
        auto const* const key = std::get_if<pickle::Text>(&dict->items[i]);
        auto const* const value = std::get_if<bool>(&dict->items[i + 1]);
        if (key == nullptr || value == nullptr || key->chars != "little_endian" || *value) continue;
        fail("{}: saved on a big-endian machine; load and save it again on a little-endian one", source.name);
    }
}

std::unordered_map<std::string_view, std::string_view> storage_types(Source const& source,
                                                                     pickle::Document const& document) {
    std::unordered_map<std::string_view, std::string_view> types;
    for (auto const& storage : document.storages) {
        auto const [at, is_new] = types.emplace(storage.key, storage.type);
        if (is_new || element_size(at->second) == element_size(storage.type)) continue;
        fail("{}: storage \"{}\" is used as {} and as {}; save the checkpoint again with a newer PyTorch", source.name,
             excerpt(storage.key), at->second, storage.type);
    }
    return types;
}

/// Walks over the raw storages behind the pickles.
Storages find_storages(Source const& source, pickle::Document const& document, pickle::Document const& keys) {
    auto const* const list = keys.container(keys.root, pickle::ContainerKind::list);
    if (list == nullptr)
        fail("{}: damaged checkpoint: no list of storages (byte {}); download or copy it again", source.name, keys.end);
    auto const types = storage_types(source, document);
    Storages storages;
    std::size_t at = keys.end;
    for (auto const& item : list->items) {
        auto const* const key = std::get_if<pickle::Text>(&item);
        auto const type = key == nullptr ? types.end() : types.find(key->chars);
        if (type == types.end())
            fail("{}: damaged checkpoint: a storage that no tensor uses (byte {}); download or copy it again",
                 source.name, at);
        std::uint64_t const element = element_size(type->second);
        bool const has_count = lies_inside(at, 8, source.bytes.size());
        auto const count = has_count ? load_le<std::int64_t>(source.bytes, at) : -1;
        if (has_count) at += 8;
        if (count < 0 || static_cast<std::uint64_t>(count) > (source.bytes.size() - at) / element) {
            fail("{}: damaged checkpoint: the file ends inside storage \"{}\" (byte {}); download or copy it again",
                 source.name, excerpt(key->chars), at);
        }
        std::size_t const size = static_cast<std::size_t>(count) * element;
        if (!storages.emplace(key->chars, source.bytes.subspan(at, size)).second) {
            fail("{}: damaged checkpoint: storage \"{}\" is there twice (byte {}); save it again", source.name,
                 excerpt(key->chars), at);
        }
        at += size;
    }
    return storages;
}

}  // namespace

bool is_torch_legacy(ByteSpan bytes) {
    // In front of it: the protocol and, from protocol 4 on, a frame.
    constexpr std::size_t kSearched = 32;
    auto const head = as_text(bytes.first(std::min(bytes.size(), kSearched)));
    return head.starts_with('\x80') && head.find(kLegacyMagic) != std::string_view::npos;
}

Checkpoint read_torch_legacy(Source const& source) {
    auto const magic = pickle::read(source, 0);
    auto const protocol = pickle::read(source, magic.end);
    auto const* const version = std::get_if<std::int64_t>(&protocol.root);
    if (version == nullptr || *version != kProtocol) {
        fail("{}: an unknown version of PyTorch's old format (byte {}); load it with PyTorch and save it again",
             source.name, magic.end);
    }
    auto const facts = pickle::read(source, protocol.end);
    check_machine(source, facts);
    auto const document = pickle::read(source, facts.end);
    auto const keys = pickle::read(source, document.end);
    Storages const storages = find_storages(source, document, keys);

    return pickle::name_tensors(source, "torch legacy", document,
                                [&](pickle::Storage const& storage) -> std::optional<ByteSpan> {
                                    auto const found = storages.find(storage.key);
                                    return found == storages.end() ? std::nullopt : std::optional(found->second);
                                });
}

}  // namespace vitrum
