// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <filesystem>
#include <memory>

#include "command.h"
#include "interrupt.h"
#include "model_options.h"
#include "text.h"
#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

struct CompileCommand {
    ModelOptions model;
    std::string out;
    bool json = false;
};

int compile(CompileCommand const& options) {
    fs::path out =
        options.out.empty() ? fs::path(options.model.model).replace_extension(".vitrum") : fs::path(options.out);
    std::error_code error;
    if (fs::equivalent(out, options.model.model, error)) {
        throw Error(fmt::format("{} would be written over the model", out.string()), ErrorKind::usage);
    }
    if (fs::is_directory(out, error)) {
        throw Error(fmt::format("{} is a folder; -o names the engine file", out.string()), ErrorKind::usage);
    }
    Engine const engine = open_engine(options.model);
    {
        FinishFirst const finish_first;
        engine.save(out);
    }
    auto const bytes = fs::file_size(out);
    if (options.json)
        print_json({{"engine", out.string()},
                    {"bytes", bytes},
                    {"variant", engine.info().variant},
                    {"precision", name_of(engine.precision())}});
    else
        fmt::print(stderr, "{} → {}  {}, {}, {}\n", options.model.model, out.string(), engine.info().variant,
                   name_of(engine.precision()), bytes_text(static_cast<double>(bytes)));
    return 0;
}

}  // namespace

Command add_compile(CLI::App& root) {
    Verb const verb(root, "compile", "Write an engine file that loads without detection");
    auto const options = std::make_shared<CompileCommand>();
    verb.option("MODEL", options->model.model, "a checkpoint or an ONNX file").required();
    verb.option("-o,--output", options->out, "the engine file; default: the model's name with .vitrum").value("FILE");
    verb.flag("--json", options->json, "print JSON");
    add_model_options(verb, options->model);
    verb.footer(
        "The precision is chosen here, for the network and the device, and kept in the file.\n"
        "Examples:\n  vitrum compile model.pth -o model.vitrum && vitrum run model.vitrum photo.png\n"
        "  vitrum compile model.pth -o model.vitrum --device cuda && vitrum run model.vitrum photo.png --device cuda");
    return {verb, [options] { return compile(*options); }};
}

}  // namespace vitrum::cli
