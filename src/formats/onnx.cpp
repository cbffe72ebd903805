// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx.h"

#include <algorithm>

#include "base/mapped_file.h"
#include "formats/file_kind.h"
#include "formats/text.h"
#include "onnx_check.h"
#include "onnx_tensor.h"

namespace vitrum {
namespace {

// Graphs of If and Loop lie inside nodes; nobody nests them deeper.
constexpr int kMaxDepth = 16;

/// Reads the messages of onnx.proto; the numbers are its fields'.
class ModelReader {
public:
    explicit ModelReader(OnnxTensorReader& tensors) : tensors_(tensors) {}

    void model(ProtoMessage message, OnnxModel& to) {
        std::string_view producer, version;
        bool has_graph = false;
        while (message.next()) {
            switch (message.field()) {
                case 2: producer = message.text(); break;
                case 3: version = message.text(); break;
                case 7:
                    to.graph = graph(message.message(), 0);
                    has_graph = true;
                    break;
                case 8: opset(message.message(), to); break;
                case 25: to.functions.push_back(function(message.message())); break;
                default: message.skip();
            }
        }
        if (!has_graph) message.refuse("an ONNX file without a graph; export the model again");
        to.producer = producer.empty() ? "" : excerpt(producer) + (version.empty() ? "" : " " + excerpt(version));
    }

private:
    static void opset(ProtoMessage message, OnnxModel& to) {
        std::string_view domain;
        std::int64_t version = 0;
        while (message.next()) {
            if (message.field() == 1) domain = message.text();
            else if (message.field() == 2) version = message.integer();
            else message.skip();
        }
        to.opsets[domain == "ai.onnx" ? "" : std::string(domain)] = version;
    }

    OnnxGraph graph(ProtoMessage message, int depth) {
        if (depth > kMaxDepth) message.refuse("graphs inside of graphs, more than {} deep", kMaxDepth);
        OnnxGraph graph;
        while (message.next()) {
            switch (message.field()) {
                case 1: graph.nodes.push_back(node(message.message(), message.offset(), depth)); break;
                case 2: graph.name = message.text(); break;
                case 5: graph.tensors.push_back(tensors_.read(message.message())); break;
                case 11: graph.inputs.push_back(port(message.message())); break;
                case 12: graph.outputs.push_back(port(message.message())); break;
                case 15: message.refuse("sparse tensors are not read; export the model with dense ones");
                default: message.skip();
            }
        }
        // Up to IR version 3 every tensor was listed as an input too, of which it is the default.
        std::erase_if(graph.inputs, [&](OnnxPort const& input) {
            return std::ranges::find(graph.tensors, input.name, &OnnxTensor::name) != graph.tensors.end();
        });
        return graph;
    }

    OnnxNode node(ProtoMessage message, std::size_t offset, int depth) {
        OnnxNode node;
        node.offset = offset;
        while (message.next()) {
            switch (message.field()) {
                case 1: node.inputs.push_back(message.text()); break;
                case 2: node.outputs.push_back(message.text()); break;
                case 3: node.name = message.text(); break;
                case 4: node.op = message.text(); break;
                case 5: node.attributes.push_back(attribute(message.message(), depth)); break;
                case 7: node.domain = message.text(); break;
                default: message.skip();
            }
        }
        if (node.domain == "ai.onnx") node.domain = "";
        if (node.op.empty()) message.refuse("a node that names no operator");
        return node;
    }

    OnnxAttribute attribute(ProtoMessage message, int depth) {
        using Type = OnnxAttribute::Type;
        OnnxAttribute attribute;
        std::int64_t stated = 0;
        std::vector<std::byte> numbers;
        while (message.next()) {
            switch (message.field()) {
                case 1: attribute.name = message.text(); break;
                case 2: attribute.number = message.number(); break;
                case 3: attribute.integer = message.integer(); break;
                case 4: attribute.text = message.text(); break;
                case 5: attribute.tensor = tensors_.read(message.message()); break;
                case 6: attribute.graph = std::make_shared<OnnxGraph const>(graph(message.message(), depth + 1)); break;
                case 7: message.append_fixed<float>(numbers); break;
                case 8: message.append(attribute.integers); break;
                case 9: attribute.texts.push_back(message.text()); break;
                case 20: stated = message.integer(); break;
                case 21: attribute.refers_to = message.text(); break;
                default: message.skip();
            }
        }
        attribute.numbers.resize(numbers.size() / sizeof(float));
        if (!numbers.empty()) std::memcpy(attribute.numbers.data(), numbers.data(), numbers.size());
        // By AttributeProto.AttributeType.
        constexpr Type kTypes[] = {Type::other, Type::number,  Type::integer,  Type::text, Type::tensor,
                                   Type::graph, Type::numbers, Type::integers, Type::texts};
        if (stated >= 0 && stated < std::ssize(kTypes)) attribute.type = kTypes[stated];
        bool const absent = attribute.refers_to.empty() && ((attribute.type == Type::tensor && !attribute.tensor) ||
                                                            (attribute.type == Type::graph && !attribute.graph));
        if (absent) message.refuse("attribute \"{}\" has no value", excerpt(attribute.name));
        return attribute;
    }

    static OnnxPort port(ProtoMessage message) {
        OnnxPort port;
        while (message.next()) {
            if (message.field() == 1) port.name = message.text();
            else if (message.field() == 2) type(message.message(), port);
            else message.skip();
        }
        return port;
    }

    /// By TypeProto. Of lists in lists and of maps nothing is known.
    static void type(ProtoMessage message, OnnxPort& port) {
        constexpr std::uint32_t kTensor = 1, kSequence = 4, kOptional = 9;
        while (message.next()) {
            bool const is_list = message.field() == kSequence && !port.is_list;
            bool const is_optional = message.field() == kOptional && !port.is_optional && !port.is_list;
            if (message.field() == kTensor) {
                tensor_type(message.message(), port);
            } else if (is_list || is_optional) {
                (is_list ? port.is_list : port.is_optional) = true;
                for (ProtoMessage inner = message.message(); inner.next();) {
                    if (inner.field() == 1) type(inner.message(), port);
                    else inner.skip();
                }
            } else {
                message.skip();
            }
        }
    }

    static void tensor_type(ProtoMessage message, OnnxPort& port) {
        while (message.next()) {
            if (message.field() == 1) port.dtype = onnx_dtype(message.integer());
            else if (message.field() == 2) port.dims = dims(message.message());
            else message.skip();
        }
    }

    static std::vector<OnnxDim> dims(ProtoMessage message) {
        std::vector<OnnxDim> dims;
        while (message.next()) {
            if (message.field() != 1) {
                message.skip();
                continue;
            }
            OnnxDim dim;
            for (ProtoMessage entry = message.message(); entry.next();) {
                if (entry.field() == 1) dim.extent = entry.integer();
                else if (entry.field() == 2) dim.name = entry.text();
                else entry.skip();
            }
            dims.push_back(dim);
        }
        return dims;
    }

    OnnxFunction function(ProtoMessage message) {
        OnnxFunction function;
        while (message.next()) {
            switch (message.field()) {
                case 1: function.name = message.text(); break;
                case 4: function.inputs.push_back(message.text()); break;
                case 5: function.outputs.push_back(message.text()); break;
                case 7: function.nodes.push_back(node(message.message(), message.offset(), 0)); break;
                case 10: function.domain = message.text(); break;
                case 11: function.defaults.push_back(attribute(message.message(), 0)); break;
                default: message.skip();
            }
        }
        return function;
    }

    OnnxTensorReader& tensors_;
};

OnnxModel read(Source const& source, std::filesystem::path const& path, OnnxTensorReader tensors) {
    if (file_kind(source.bytes) != FileKind::onnx) fail("{}: not an ONNX file", source.name);
    OnnxModel model;
    model.path = path;
    ModelReader(tensors).model(ProtoMessage(source), model);
    model.bytes = source.bytes;
    model.beside = tensors.files();
    model.storage = tensors.storage();
    model.storage.push_back(source.owner);
    check_onnx(model);
    return model;
}

}  // namespace

OnnxAttribute const* OnnxNode::attribute(std::string_view attribute_name) const {
    auto const found = std::ranges::find(attributes, attribute_name, &OnnxAttribute::name);
    return found == attributes.end() ? nullptr : &*found;
}

std::string OnnxNode::label() const {
    std::string const own = name.empty() && !outputs.empty() ? std::string(outputs.front()) : std::string(name);
    return fmt::format("{}{}{} \"{}\"", excerpt(domain), domain.empty() ? "" : ".", excerpt(op), excerpt(own));
}

OnnxModel read_onnx(std::filesystem::path const& path) {
    auto const file = std::make_shared<MappedFile const>(path);
    auto const folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    return read({path.string(), file->bytes(), file}, path, OnnxTensorReader(folder));
}

OnnxModel read_onnx(std::span<std::byte const> bytes, std::filesystem::path const& name,
                    std::shared_ptr<void const> owner, OnnxFiles beside) {
    return read({name.string(), bytes, std::move(owner)}, name, OnnxTensorReader({}, std::move(beside)));
}

OnnxTensor read_onnx_tensor(std::span<std::byte const> bytes, std::filesystem::path const& name,
                            std::vector<std::shared_ptr<void const>>& storage) {
    Source const source{name.string(), bytes, nullptr};
    OnnxTensorReader reader({});
    OnnxTensor tensor = reader.read(ProtoMessage(source));
    storage.insert(storage.end(), reader.storage().begin(), reader.storage().end());
    return tensor;
}

}  // namespace vitrum
