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
constexpr std::uint32_t kVersion = 2, kVersionOfGraphs = 1;

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

/// A part of the data, for numbers that a file made up.
static std::span<std::byte const> part_of(std::span<std::byte const> data, std::uint64_t offset, std::uint64_t bytes) {
    if (offset > data.size() || bytes > data.size() - offset) {
        fail("{} bytes at offset {} leave the file", bytes, offset);
    }
    return data.subspan(offset, bytes);
}

static StoredOnnx stored_onnx(Json const& json, std::span<std::byte const> data,
                              std::shared_ptr<void const> const& owner) {
    auto const placed = [&](Json const& file) {
        return part_of(data, file.at("offset").get<std::uint64_t>(), file.at("bytes").get<std::uint64_t>());
    };
    StoredOnnx onnx{.bytes = placed(json.at("file")),
                    .beside = {},
                    .settings = json.at("settings"),
                    .notes = json.at("notes"),
                    .owner = owner};
    for (auto const& [name, file] : json.at("beside").items()) onnx.beside.emplace(name, placed(file));
    return onnx;
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
        if (json.contains("onnx")) {
            return {.precision = precision_of(json), .onnx = stored_onnx(json.at("onnx"), data, owner)};
        }
        EngineFile engine{model_info_from_json(json.at("model")), graph_from_json(json.at("graph"), fetch),
                          precision_of(json)};
        if (auto const violation = graph_violation(engine.graph); !violation.empty()) throw Error(violation);
        check_description(engine);
        return engine;
    } catch (Json::exception const& error) {
        fail("its header does not parse ({})", error.what());
    }
}

namespace {

/// What lies behind the header, piece by piece: it may be larger than what is left of the memory.
class DataSection {
public:
    /// Returns where the piece lies.
    std::uint64_t add(std::span<std::byte const> piece) {
        std::uint64_t const offset = bytes_;
        pieces_.push_back(piece);
        bytes_ += aligned(piece.size());
        return offset;
    }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    [[nodiscard]] std::uint64_t hash() const {
        std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> const state(XXH3_createState(), XXH3_freeState);
        VITRUM_ASSERT(state != nullptr && XXH3_64bits_reset(state.get()) == XXH_OK);
        each([&](std::span<std::byte const> part) { XXH3_64bits_update(state.get(), part.data(), part.size()); });
        return XXH3_64bits_digest(state.get());
    }
    void write(AtomicFile& file) const {
        each([&](std::span<std::byte const> part) { file.write(part); });
    }

private:
    template <class Body>
    void each(Body const& body) const {
        static constexpr std::array<std::byte, kAlignment> kPadding{};
        for (auto const piece : pieces_) {
            body(piece);
            body(std::span(kPadding).first(aligned(piece.size()) - piece.size()));
        }
    }

    std::vector<std::span<std::byte const>> pieces_;
    std::uint64_t bytes_ = 0;
};

Json to_json(StoredOnnx const& onnx, DataSection& data) {
    auto const placed = [&](std::span<std::byte const> file) -> Json {
        return {{"offset", data.add(file)}, {"bytes", file.size()}};
    };
    Json beside = Json::object();
    for (auto const& [name, file] : onnx.beside) beside[name] = placed(file);
    return {{"file", placed(onnx.bytes)}, {"beside", beside}, {"settings", onnx.settings}, {"notes", onnx.notes}};
}

std::string text_of(Json const& json, std::filesystem::path const& path) {
    try {
        return json.dump();
    } catch (Json::exception const& error) {
        fail("{}: a name in the model is not UTF-8, which an engine file cannot hold ({})", path.string(),
             error.what());
    }
}

}  // namespace

void write_engine_file(std::filesystem::path const& path, EngineFile const& engine) {
    DataSection data;
    Json json;
    if (engine.onnx) {
        json["onnx"] = to_json(*engine.onnx, data);
    } else {
        json["model"] = to_json(engine.info);
        json["graph"] = to_json(engine.graph, [&](Constant const& constant) {
            auto const count = static_cast<std::size_t>(constant.shape.count());
            return data.add(std::as_bytes(std::span(constant.data, count)));
        });
    }
    json["precision"] = name_of(engine.precision);
    std::string const header = text_of(json, path);
    Preamble const preamble{.version = engine.onnx ? kVersion : kVersionOfGraphs,
                            .header_bytes = header.size(),
                            .header_hash = XXH3_64bits(header.data(), header.size()),
                            .data_bytes = data.bytes(),
                            .data_hash = data.hash()};
    std::vector<std::byte> const padding(aligned(sizeof preamble + header.size()) - sizeof preamble - header.size());
    AtomicFile file(path);
    file.write(bytes_of(preamble));
    file.write(std::as_bytes(std::span(header)));
    file.write(padding);
    data.write(file);
    file.commit();
}

}  // namespace vitrum
