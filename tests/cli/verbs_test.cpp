// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <nlohmann/json.hpp>

#include "command.h"
#include "formats/safetensors_writer.h"
#include "swinir_file.h"
#include "vitrum/engine.h"

namespace vitrum {
namespace {

using Verbs = CommandTest;
using nlohmann::json;

json parsed(CommandResult const& result) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out, nullptr, false);
}

/// Input, and what the network itself says to it with `error` added to one value.
void write_golden(std::string const& model, std::string const& path, float error) {
    Session session(Engine::open(model));
    session.prepare({1, 16, 24});
    std::vector<float> input(3 * 16 * 24), output(3 * 32 * 48);
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 97) / 97.0F;
    auto const to_planes = [](std::span<float const> pixels, std::vector<float>& planes) {
        std::size_t const count = planes.size() / 3;
        for (std::size_t i = 0; i < planes.size(); ++i) planes[i % 3 * count + i / 3] = pixels[i];
    };
    std::ranges::copy(input, session.input().begin());
    session.run();
    to_planes(session.output(), output);
    std::vector<float> planes(input.size());
    to_planes(input, planes);
    output[7] += error;
    std::vector<NamedTensor> const tensors = {{"input", {1, 3, 16, 24}, planes.data()},
                                              {"output", {1, 3, 32, 48}, output.data()}};
    write_safetensors(path, tensors);
}

TEST_F(Verbs, HelpAndVersionAreOutput) {
    EXPECT_NE(vitrum({"--help"}).out.find("vitrum run model.pth"), std::string::npos);
    EXPECT_TRUE(vitrum({"--version"}).out.starts_with("vitrum "));
    for (std::string const verb : {"run", "inspect", "compile", "verify", "bench", "profile", "doctor"}) {
        CommandResult const result = vitrum({verb, "--help"});
        EXPECT_EQ(result.exit_code, 0) << verb;
        EXPECT_NE(result.out.find("Usage: "), std::string::npos) << verb;
    }
}

TEST_F(Verbs, UnknownVerbsAreUsageErrors) {
    CommandResult const result = vitrum({"upscale", "x"});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.err.find("unknown verb upscale"), std::string::npos) << result.err;
    EXPECT_EQ(vitrum({}).exit_code, 2);
    EXPECT_EQ(vitrum({"--nonsense"}).exit_code, 2);
}

TEST_F(Verbs, InspectTellsFamilyAndEvidence) {
    json const info = parsed(vitrum({"inspect", model_, "--json", "--why", "--graph", "--size", "32x40"}));
    EXPECT_EQ(info["family"], "SwinIR");
    EXPECT_EQ(info["scale"], 2);
    EXPECT_FALSE(info["hyperparameters"].empty());
    EXPECT_EQ(info["at_size"]["outputs"][0]["shape"], (json{1, 64, 80, 3}));
    EXPECT_GT(info["at_size"]["gflop"], 0);
    EXPECT_FALSE(info["kernels"].empty());
    EXPECT_EQ(info["precision"], "fp32");
    json const ranges = parsed(vitrum({"inspect", model_, "--json", "--ranges"}))["ranges"];
    EXPECT_EQ(ranges["automatic"], "fp32") << "all that CPUs have";
    EXPECT_GT(ranges["operators"][0]["largest"], 0.5);
    CommandResult const text = vitrum({"inspect", model_, "--graph", "--why"});
    EXPECT_EQ(text.exit_code, 0);
    EXPECT_NE(text.out.find("embed_dim"), std::string::npos) << text.out;
    EXPECT_NE(text.out.find("kernels for fp32 on cpu"), std::string::npos) << text.out;
}

TEST_F(Verbs, InspectTakesTheOnlyBatchOfAGraph) {
    std::string const pairs = VITRUM_TEST_DATA "/onnx/convolution_pairs.onnx";
    json const info = parsed(vitrum({"inspect", pairs, "--json", "--graph", "--ranges"}));
    EXPECT_EQ(info["at_size"]["outputs"][0]["shape"][0], 2);
    EXPECT_EQ(info["ranges"]["automatic"], "fp32");
}

TEST_F(Verbs, AnEngineFileIsTakenWhereAModelIs) {
    EXPECT_EQ(vitrum({"compile", model_}).exit_code, 0);
    EXPECT_EQ(parsed(vitrum({"inspect", at("model.vitrum"), "--json"}))["scale"], 2);
    picture("photo.png");
    EXPECT_EQ(vitrum({"run", model_, at("photo.png"), "-o", at("a.png")}).exit_code, 0);
    EXPECT_EQ(vitrum({"run", at("model.vitrum"), at("photo.png"), "-o", at("b.png")}).exit_code, 0);
    EXPECT_TRUE(std::ranges::equal(load_image(at("a.png")).colour_bytes(), load_image(at("b.png")).colour_bytes()));
}

TEST_F(Verbs, AnEngineFileHoldsItsPrecision) {
    EXPECT_EQ(parsed(vitrum({"compile", model_, "--json"}))["precision"], "fp32");
    EXPECT_EQ(vitrum({"inspect", at("model.vitrum"), "--precision", "fp32"}).exit_code, 0);
    CommandResult const other = vitrum({"inspect", at("model.vitrum"), "--precision", "fp16"});
    EXPECT_EQ(other.exit_code, 2);
    EXPECT_NE(other.err.find("was compiled for fp32"), std::string::npos) << other.err;
    EXPECT_EQ(vitrum({"compile", model_, "--precision", "tf32"}).exit_code, 2) << "a CPU has no other";
}

TEST_F(Verbs, CompileDoesNotOverwriteTheModel) {
    EXPECT_EQ(vitrum({"compile", model_, "-o", model_}).exit_code, 2);
    EXPECT_EQ(vitrum({"compile", model_, "-o", folder_.string()}).exit_code, 2);
}

TEST_F(Verbs, VerifyGoldenPassesOrEndsWithThree) {
    write_golden(model_, at("good.safetensors"), 0);
    write_golden(model_, at("bad.safetensors"), 0.5F);
    EXPECT_EQ(parsed(vitrum({"verify", model_, "--golden", at("good.safetensors"), "--json"}))["passed"], true);
    CommandResult const good = vitrum({"verify", model_, "--golden", at("good.safetensors")});
    EXPECT_NE(good.out.find("must not exceed 1.0e-04 (in fp32 on cpu)"), std::string::npos) << good.out;
    CommandResult const bad = vitrum({"verify", model_, "--golden", at("bad.safetensors"), "--json"});
    EXPECT_EQ(bad.exit_code, 3);
    EXPECT_EQ(json::parse(bad.out)["passed"], false);
    EXPECT_EQ(vitrum({"verify", model_, "--golden", at("bad.safetensors"), "--tolerance", "1000"}).exit_code, 0);
    EXPECT_EQ(vitrum({"verify", model_, "--golden", model_}).exit_code, 1);
}

TEST_F(Verbs, VerifyImagesComparesPairs) {
    picture("low/babyx2.png", 30, 20);
    picture("high/baby.png", 61, 40);  // a column more than twice the other
    json const report = parsed(vitrum({"verify", model_, "--images", at("low"), "--reference", at("high"), "--json"}));
    EXPECT_EQ(report["pictures"][0]["name"], "baby.png");
    EXPECT_GT(report["bicubic_mean"]["psnr_y_db"], 0);
    json const tiled = parsed(vitrum({"verify", model_, "--images", at("low"), "--reference", at("high"), "--json",
                                      "--tile", "32", "--memory", "8G"}));
    EXPECT_EQ(tiled["bicubic_mean"], report["bicubic_mean"]);
    picture("low/odd.png", 30, 20);
    CommandResult const odd = vitrum({"verify", model_, "--images", at("low"), "--reference", at("high")});
    EXPECT_EQ(odd.exit_code, 1);
    EXPECT_NE(odd.err.find("odd.png"), std::string::npos) << odd.err;
}

TEST_F(Verbs, VerifyAgainstTheReferenceShowsEveryOperator) {
    json const report =
        parsed(vitrum({"verify", model_, "--against", "reference", "--layers", "--size", "10x13", "--json"}));
    EXPECT_EQ(report["passed"], true);
    EXPECT_LT(report["outputs"][0]["normalised"], 2e-5);
    EXPECT_GT(report["layers"].size(), 5U);
    EXPECT_EQ(vitrum({"verify", model_, "--against", "reference", "--size", "8", "--tolerance", "1e-12"}).exit_code, 3);
    CommandResult const text = vitrum({"verify", model_, "--against", "reference", "--layers", "--size", "8"});
    EXPECT_NE(text.out.find("WindowAttention layers.0.residual_group.blocks.0.attn"), std::string::npos) << text.out;
    EXPECT_EQ(vitrum({"verify", model_, "--against", "tensorrt"}).exit_code, 2);
    EXPECT_EQ(vitrum({"verify", model_, "--golden", "x", "--layers"}).exit_code, 2);
}

TEST_F(Verbs, VerifyNeedsOneKindOfTruth) {
    EXPECT_EQ(vitrum({"verify", model_}).exit_code, 2);
    EXPECT_EQ(vitrum({"verify", model_, "--images", folder_.string()}).exit_code, 2);
    EXPECT_EQ(vitrum({"verify", model_, "--golden", "x", "--tolerance", "-1"}).exit_code, 2);
}

TEST_F(Verbs, BenchMeasuresEverySizeAndBatch) {
    json const report =
        parsed(vitrum({"bench", model_, "--size", "16x24", "--size", "8", "--batch", "1", "--batch", "2", "--duration",
                       "0.01", "--warm-up", "0", "--iterations", "2", "--threads", "1", "--json"}));
    ASSERT_EQ(report["results"].size(), 4U);
    for (json const& result : report["results"]) {
        EXPECT_GE(result["runs"], 2);
        EXPECT_LE(result["latency_ms"]["min"], result["latency_ms"]["p50"]);
        EXPECT_LE(result["latency_ms"]["p50"], result["latency_ms"]["p99"]);
        EXPECT_EQ(result["compute_ms"], result["latency_ms"]["p50"]);  // there is nothing to copy on a CPU
    }
    EXPECT_EQ(report["threads"], 1);
    EXPECT_EQ(report["precision"], "fp32");
    EXPECT_EQ(vitrum({"bench", model_, "--size", "0x4"}).exit_code, 2);
    EXPECT_EQ(vitrum({"bench", model_, "--batch", "0"}).exit_code, 2);
}

TEST_F(Verbs, BenchDrawsALineForEachBatch) {
    CommandResult const result =
        vitrum({"bench", model_, "--size", "8", "--size", "16", "--batch", "1", "--batch", "2", "--duration", "0",
                "--warm-up", "0", "--iterations", "1", "--plot", at("speed.svg")});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    std::ifstream file(at("speed.svg"));
    std::string const svg(std::istreambuf_iterator<char>(file), {});
    EXPECT_NE(svg.find(">batch 1</text>"), std::string::npos) << svg;
    EXPECT_NE(svg.find(">batch 2</text>"), std::string::npos) << svg;
    EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
    EXPECT_EQ(vitrum({"bench", model_, "--plot", at("speed.jpg")}).exit_code, 2);
}

TEST_F(Verbs, ProfileWritesATraceThatAddsUp) {
    json const report =
        parsed(vitrum({"profile", model_, "--size", "32x32", "--runs", "2", "--trace", at("t.json"), "--json"}));
    EXPECT_FALSE(report["operators"].empty());
    EXPECT_EQ(report["precision"], "fp32");
    std::ifstream file(at("t.json"));
    json const trace = json::parse(file);
    double end = 0;
    for (json const& event : trace["traceEvents"]) {
        if (event["ph"] != "X") continue;
        EXPECT_GE(event["ts"].get<double>(), end - 1e-6);  // events of one track must not overlap
        end = event["ts"].get<double>() + event["dur"].get<double>();
    }
    EXPECT_NEAR(end / 1e3, report["ms"].get<double>(), 1e-6);
    EXPECT_NE(vitrum({"profile", model_, "--size", "16x16", "--runs", "1", "--all"}).out.find("conv_first"),
              std::string::npos);
}

TEST_F(Verbs, DoctorTellsTheMachine) {
    json const facts = parsed(vitrum({"doctor", "--json"}));
    EXPECT_TRUE(facts.contains("processor"));
    EXPECT_TRUE(facts.contains("kernels for"));
}

TEST_F(Verbs, AnInstructionSetThatDoesNotExistIsRefused) {
    EXPECT_NE(vitrum({"inspect", model_, "--isa", "AVX9"}).exit_code, 0);
}

TEST_F(Verbs, AnOverrideReachesTheModel) {
    EXPECT_EQ(parsed(vitrum({"inspect", model_, "--json", "--set", "img_range=255"}))["scale"], 2);
    EXPECT_NE(vitrum({"inspect", model_, "--set", "nonsense=1"}).exit_code, 0);
}

TEST_F(Verbs, InfiniteOutputEndsWithThreeAndWritesNothing) {
    SwinIRFile overflowing = SwinIRFile();
    overflowing.lightweight(2);
    overflowing.set("upsample.0.weight", {12, 12, 3, 3}, 3e38F);
    std::string const model = overflowing.write();
    picture("photo.png");
    EXPECT_EQ(vitrum({"run", model, at("photo.png")}).exit_code, 3);
    EXPECT_EQ(files(), (std::vector<std::string>{"photo.png"}));
}

}  // namespace
}  // namespace vitrum
