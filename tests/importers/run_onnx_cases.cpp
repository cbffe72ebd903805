// SPDX-License-Identifier: Apache-2.0
// Runs ONNX's node tests: run_onnx_cases FOLDER. Each case is a folder with model.onnx, tolerance, input_*.pb and
// output_*.pb. Prints a line per case: name, verdict, and why. Verdicts: passed; folded (passed, with its inputs known
// beforehand, since shapes follow from their numbers); wrong; refused.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/check.h"
#include "base/mapped_file.h"
#include "engine/engine_data.h"
#include "reference/backend.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

struct Tensors {
    std::vector<OnnxTensor> all;
    std::vector<std::shared_ptr<void const>> storage;
};

struct Tolerance {
    double relative = 1e-3, absolute = 1e-7;
};

Tensors read_tensors(fs::path const& folder, std::string const& stem) {
    Tensors tensors;
    for (int i = 0; fs::exists(folder / fmt::format("{}_{}.pb", stem, i)); ++i) {
        auto const file = std::make_shared<MappedFile const>(folder / fmt::format("{}_{}.pb", stem, i));
        tensors.all.push_back(read_onnx_tensor(file->bytes(), file->path(), tensors.storage));
        tensors.storage.push_back(file);
    }
    return tensors;
}

Constant as_constant(OnnxTensor const& tensor) {
    auto owner = std::make_shared<std::vector<double>>(tensor.bytes.size() / sizeof(double) + 1);  // aligned
    std::ranges::copy(tensor.bytes, reinterpret_cast<std::byte*>(owner->data()));
    return {tensor.shape, reinterpret_cast<float const*>(owner->data()), owner, tensor.dtype};
}

double number(std::byte const* at, DType type) {
    if (type == DType::f64) return *reinterpret_cast<double const*>(at);
    if (type == DType::i64) return static_cast<double>(*reinterpret_cast<std::int64_t const*>(at));
    float value = 0;
    copy_to_f32({at, type, {}, {}}, &value);
    return static_cast<double>(value);
}

/// What is wrong with an output, or "".
std::string difference(OnnxTensor const& expected, TensorInfo const& info, std::span<std::byte const> made,
                       Tolerance const& tolerance) {
    Shape const shape{std::span<std::int64_t const>(info.shape)};
    if (name_of(expected.dtype) != info.dtype || expected.shape != shape) {
        return fmt::format("{} is {}{}, not {}{}", info.name, info.dtype, shape.str(), name_of(expected.dtype),
                           expected.shape.str());
    }
    Constant const aligned = as_constant(expected);
    for (std::int64_t i = 0; i < shape.count(); ++i) {
        auto const at = static_cast<std::size_t>(i) * size_of(expected.dtype);
        double const want = number(aligned.bytes() + at, expected.dtype),
                     got = number(made.data() + at, expected.dtype);
        bool const same = want == got || (std::isnan(want) && std::isnan(got)) ||
                          std::fabs(want - got) <= tolerance.absolute + tolerance.relative * std::fabs(want);
        if (!same) return fmt::format("{}[{}] is {}, not {}", info.name, i, got, want);
    }
    return "";
}

std::string run_on(Device device, Graph const& graph, Tensors const& inputs, Tensors const& outputs,
                   Tolerance const& tolerance) {
    CompileOptions const options{.device = device, .threads = 2, .isa = {}};
    Session session(Engine(std::make_shared<Engine::Data>(ModelInfo{}, graph, options)));
    session.prepare({1, 1, 1});
    for (std::size_t i = 0; i < inputs.all.size(); ++i) {
        std::ranges::copy(inputs.all[i].bytes, session.input_bytes(i).data());
    }
    session.run();
    auto const infos = session.engine().outputs({1, 1, 1});
    if (infos.size() != outputs.all.size()) return "another number of outputs";
    for (std::size_t i = 0; i < infos.size(); ++i) {
        std::string wrong = difference(outputs.all[i], infos[i], session.output_bytes(i), tolerance);
        if (!wrong.empty()) return wrong;
    }
    return "";
}

std::string run_graph(OnnxSource const& source, OnnxSource::Known const& known, Tensors const& inputs,
                      Tensors const& outputs, Tolerance const& tolerance) {
    std::vector<DenseType> types;
    for (OnnxTensor const& input : inputs.all) types.push_back({input.dtype, input.shape});
    auto const reference = make_reference_backend();
    Graph const graph = source.graph(types, *reference, OnnxSource::Edges::as_stated, known);
    if (auto violation = graph_violation(graph); !violation.empty()) return violation;
    for (Device const device : {Device::reference, Device::cpu}) {
        auto const wrong = run_on(device, graph, inputs, outputs, tolerance);
        if (!wrong.empty()) return (device == Device::cpu ? "cpu: " : "reference: ") + wrong;
    }
    return "";
}

/// Which inputs are told beforehand: none, those that are no floats, all.
OnnxSource::Known known_inputs(OnnxSource const& source, Tensors const& inputs, int how) {
    OnnxSource::Known known;
    bool const has_lists = source.model().graph.inputs.size() != inputs.all.size();
    for (std::size_t i = 0; how > 0 && !has_lists && i < inputs.all.size(); ++i) {
        OnnxTensor const& input = inputs.all[i];
        bool const is_float = input.dtype == DType::f32 || input.dtype == DType::f64 || input.dtype == DType::f16;
        if (how == 2 || !is_float) known.emplace(source.model().graph.inputs[i].name, as_constant(input));
    }
    return known;
}

std::string verdict(fs::path const& folder) {
    try {
        OnnxSource const source(read_onnx(folder / "model.onnx"), {});
        Tensors const inputs = read_tensors(folder, "input"), outputs = read_tensors(folder, "output");
        Tolerance tolerance;
        std::ifstream(folder / "tolerance") >> tolerance.relative >> tolerance.absolute;
        for (int how = 0;; ++how) {
            try {
                auto const wrong = run_graph(source, known_inputs(source, inputs, how), inputs, outputs, tolerance);
                if (!wrong.empty()) return "wrong\t" + wrong;
                return how == 0 ? "passed\t" : "folded\t";
            } catch (Error const& error) {
                bool const is_early =
                    std::string_view(error.what()).find("depends on the numbers") != std::string::npos;
                if (!is_early || how == 2) throw;
            }
        }
    } catch (Error const& error) {
        std::string const text = error.what();
        auto const behind = text.find(".onnx: ");
        return "refused\t" + (behind == std::string::npos ? text : text.substr(behind + 7));
    }
}

}  // namespace
}  // namespace vitrum

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    std::vector<std::filesystem::path> folders;
    for (auto const& entry : std::filesystem::directory_iterator(argv[1])) folders.push_back(entry.path());
    std::ranges::sort(folders);
    for (auto const& folder : folders) {
        std::printf("%s\t%s\n", folder.filename().c_str(), vitrum::verdict(folder).c_str());
        std::fflush(stdout);
    }
    return 0;
}
