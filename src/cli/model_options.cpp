// SPDX-License-Identifier: Apache-2.0
#include "model_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "parse.h"
#include "vitrum/error.h"
#include "vitrum/image.h"
#include "vitrum/measure.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(std::string const& text) {
    throw Error(text, ErrorKind::usage);
}

void check_model_path(fs::path const& path) {
    std::error_code error;
    fs::file_status const status = fs::status(path, error);
    if (!fs::exists(status)) throw Error(fmt::format("no such model: {}", path.string()));
    if (looks_like_picture(path)) {
        refuse(fmt::format("{} is a picture where a model is expected", path.string()));
    }
}

}  // namespace

void add_model_options(Verb const& verb, ModelOptions& options) {
    verb.option("--device", options.device,
                "cpu, cuda or cuda:N (see `vitrum doctor`), or reference (slow, the meaning of every operator)")
        .value("NAME")
        .shows_default();
    verb.option("--precision", options.precision,
                "what products are computed in: fp32; on GPUs also tf32, bf16 or fp16; auto: what an engine file was "
                "compiled for, else on GPUs the fastest that is exact enough (`vitrum inspect --ranges`)")
        .value("NAME")
        .shows_default();
    verb.option("-j,--threads", options.threads, "threads to compute with; 0: every usable core")
        .value("N")
        .shows_default();
    verb.option("--isa", options.isa, "instruction set of the CPU kernels (see `vitrum doctor`); default: the best")
        .value("NAME");
    verb.option("--set", options.overrides, "a hyper-parameter that weights cannot tell (see `vitrum inspect`)")
        .value("NAME=VALUE")
        .one_at_a_time();
}

Engine open_engine(ModelOptions const& options) {
    DeviceName const device = device_named(options.device);
    CompileOptions const compile{.device = device.device,
                                 .threads = options.threads,
                                 .isa = options.isa,
                                 .device_index = device.index,
                                 .precision = precision_named(options.precision)};
    Overrides overrides;
    for (std::string const& text : options.overrides)
        overrides.insert_or_assign(parse_override(text).first, parse_override(text).second);
    check_model_path(options.model);
    Engine const engine = Engine::open(options.model, compile, overrides);
    return compile.precision ? engine : in_automatic_precision(engine);
}

bool looks_like_model(fs::path const& path) {
    constexpr std::array<std::string_view, 7> kExtensions = {".pth", ".pt",   ".ckpt",  ".safetensors",
                                                             ".pkl", ".onnx", ".vitrum"};
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
    return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

bool looks_like_picture(fs::path const& path) {
    try {
        static_cast<void>(probe_image(path));
        return true;
    } catch (Error const&) {
        return false;
    }
}

}  // namespace vitrum::cli
