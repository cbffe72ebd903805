// SPDX-License-Identifier: Apache-2.0
#include "engine_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>

#include <xxhash.h>

#include "alignment.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/mapped_file.h"
#include "graph_json.h"
#include "vitrum/engine.h"

namespace vitrum {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");

constexpr std::array<char, 8> kMagic = {'\x89', 'V', 'I', 'T', 'R', 'U', 'M', '\n'};
constexpr std::uint32_t kVersion = 1;

struct Preamble {
    std::array<char, 8> magic = kMagic;
    std::uint32_t version = kVersion;
    std::uint32_t reserved = 0;
    std::uint64_t header_bytes = 0, header_hash = 0;
    std::uint64_t data_bytes = 0, data_hash = 0;
};
static_assert(sizeof(Preamble) == 48);

std::span<std::byte const> bytes_of(auto const& object) {
    return std::as_bytes(std::span(&object, 1));
}

Preamble read_preamble(MappedFile const& file) {
    auto const bytes = file.bytes();
    auto const& name = file.path().string();
    Preamble preamble;
    if (bytes.size() < sizeof preamble) fail("{}: truncated engine file: {} bytes", name, bytes.size());
    std::memcpy(&preamble, bytes.data(), sizeof preamble);
    if (preamble.version > kVersion) {
        fail(
            "{}: written by a newer vitrum (engine file version {}, this one reads up to {}); update vitrum or compile "
            "the model again",
            name, preamble.version, kVersion);
    }
    auto const room = bytes.size() - sizeof preamble;
    if (preamble.version == 0 || preamble.header_bytes > room) {
        fail(
            "{}: truncated or damaged engine file (byte 16: a header of {} bytes, the file has {} left); compile the "
            "model again",
            name, preamble.header_bytes, room);
    }
    auto const data_offset = aligned(sizeof preamble + preamble.header_bytes);
    if (data_offset > bytes.size() || preamble.data_bytes != bytes.size() - data_offset) {
        fail(
            "{}: truncated or damaged engine file (byte 32: {} bytes of weights promised from offset {}, the file ends "
            "at {}); compile the model again",
            name, preamble.data_bytes, data_offset, bytes.size());
    }
    return preamble;
}

void check_hash(MappedFile const& file, std::span<std::byte const> part, std::uint64_t expected,
                std::string_view what) {
    if (XXH3_64bits(part.data(), part.size()) != expected) {
        fail("{}: altered or damaged engine file: the checksum of its {} does not match; compile the model again",
             file.path().string(), what);
    }
}

/// Files from before there was a choice name none.
Precision precision_of(Json const& header) {
    auto const name = header.value("precision", std::string("fp32"));
    if (auto const precision = find_precision(name)) return *precision;
    fail("a precision named {}", name);
}

/// Sessions size their callers' buffers by the description: it must say what the graph says.
void check_description(EngineFile const& engine) {
    auto const& info = engine.info;
    auto const& graph = engine.graph;
    std::vector<Dim> const input = {Dim(Symbol::n), Dim(Symbol::h), Dim(Symbol::w), info.in_channels};
    std::vector<Dim> const output = {Dim(Symbol::n), Dim(Symbol::h).times(info.scale), Dim(Symbol::w).times(info.scale),
                                     info.out_channels};
    bool const gives_pictures = info.kind != Task::segment;  // that task looks at its outputs' shapes itself
    if (graph.inputs.empty() || graph.value(graph.inputs.front()).dims != input ||
        (gives_pictures && graph.value(graph.outputs.front()).dims != output)) {
        throw Error("the model's description does not fit its graph");
    }
}

}  // namespace

bool is_engine_file(std::filesystem::path const& path) {
    std::array<char, 8> head{};
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return false;
    std::ifstream(path, std::ios::binary).read(head.data(), head.size());
    return head == kMagic;
}

EngineFile read_engine_file(std::filesystem::path const& path) {
    auto const file = std::make_shared<MappedFile const>(path);
    Preamble const preamble = read_preamble(*file);
    auto const header = file->bytes().subspan(sizeof preamble, preamble.header_bytes);
    auto const data = file->bytes().subspan(aligned(sizeof preamble + preamble.header_bytes));
    check_hash(*file, header, preamble.header_hash, "header");
    check_hash(*file, data, preamble.data_hash, "weights");

    try {
        return parse_engine(header, data, file);
    } catch (Error const& error) {
        fail("{}: damaged engine file: {}; compile the model again", path.string(), error.what());
    }
}

EngineFile parse_engine(std::span<std::byte const> header, std::span<std::byte const> data,
                        std::shared_ptr<void const> const& owner) {
    auto const fetch = [&](Shape const& shape, std::uint64_t offset) -> Constant {
        auto const count = static_cast<std::uint64_t>(shape.count());
        if (offset % alignof(float) != 0 || offset > data.size() || count > (data.size() - offset) / sizeof(float)) {
            fail("a weight of shape {} at offset {} leaves the file", shape.str(), offset);
        }
        return {shape, reinterpret_cast<float const*>(data.data() + offset), owner};
    };
    try {
        auto const* const text = reinterpret_cast<char const*>(header.data());
        Json const json = Json::parse(text, text + header.size());
        EngineFile engine{model_info_from_json(json.at("model")), graph_from_json(json.at("graph"), fetch),
                          precision_of(json)};
        if (auto const violation = graph_violation(engine.graph); !violation.empty()) throw Error(violation);
        check_description(engine);
        return engine;
    } catch (Json::exception const& error) {
        fail("its header does not parse ({})", error.what());
    }
}

void write_engine_file(std::filesystem::path const& path, EngineFile const& engine) {
    std::vector<Constant const*> order;  // of the data
    std::uint64_t data_bytes = 0;
    auto const place = [&](Constant const& constant) {
        std::uint64_t const offset = data_bytes;
        order.push_back(&constant);
        data_bytes += aligned(static_cast<std::uint64_t>(constant.shape.count()) * sizeof(float));
        return offset;
    };
    Json const json = {{"model", to_json(engine.info)},
                       {"graph", to_json(engine.graph, place)},
                       {"precision", name_of(engine.precision)}};
    std::string const header = json.dump();

    std::vector<std::byte> data(data_bytes);
    std::uint64_t offset = 0;
    for (Constant const* constant : order) {
        auto const bytes = static_cast<std::uint64_t>(constant->shape.count()) * sizeof(float);
        std::memcpy(data.data() + offset, constant->data, bytes);
        offset += aligned(bytes);
    }
    Preamble const preamble{.header_bytes = header.size(),
                            .header_hash = XXH3_64bits(header.data(), header.size()),
                            .data_bytes = data_bytes,
                            .data_hash = XXH3_64bits(data.data(), data.size())};
    std::vector<std::byte> const padding(aligned(sizeof preamble + header.size()) - sizeof preamble - header.size());
    AtomicFile file(path);
    file.write(bytes_of(preamble));
    file.write(std::as_bytes(std::span(header)));
    file.write(padding);
    file.write(data);
    file.commit();
}

}  // namespace vitrum
