// SPDX-License-Identifier: Apache-2.0
#include "ranges_text.h"

#include <fmt/core.h>

#include <cmath>

namespace vitrum::cli {
namespace {

constexpr double kLargestHalf = 65504;

/// JSON has no infinity.
Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

std::string error_text(double error) {
    return std::isfinite(error) ? fmt::format("{:.1e}", error) : "NaN/Inf";
}

std::string verdict(PrecisionTrial const& trial) {
    std::string const name(name_of(trial.precision));
    if (!trial.why_not.empty()) return fmt::format("{}: not exact enough: {}\n", name, trial.why_not);
    std::string text = fmt::format("{}: exact enough: error {:.1e} of {:.1e}", name, trial.error, trial.error_limit);
    if (!trial.quality.empty()) {
        text += fmt::format(", {} {:.4g} of {:.4g}", trial.quality, trial.quality_value, trial.quality_limit);
    }
    return text + "\n";
}

}  // namespace

std::string ranges_text(PrecisionChoice const& choice, std::string const& device) {
    std::vector<std::string> header = {"operator", "module", "reads up to", "below 6e-5"};
    for (PrecisionTrial const& trial : choice.trials) {
        header.push_back(fmt::format("{} error", name_of(trial.precision)));
        header.emplace_back("kernel");
    }
    Table table(header);
    for (std::size_t i = 0; i < choice.operators.size(); ++i) {
        OperatorRange const& range = choice.operators[i];
        std::vector<std::string> row = {
            range.op, range.provenance,
            fmt::format("{}{:.3g}", range.largest > kLargestHalf ? "beyond fp16: " : "", range.largest),
            fmt::format("{:.1f} %", range.small_share * 100)};
        for (PrecisionTrial const& trial : choice.trials) {
            row.push_back(error_text(trial.layers[i].error));
            row.push_back(trial.layers[i].kernel);
        }
        table.add(std::move(row));
    }
    std::string text = fmt::format(
        "what operators read in fp32 on two made-up pictures of {}×{} on {}{}\n{}\n", choice.sizes.h, choice.sizes.w,
        device, choice.trials.empty() ? "" : ", and the errors behind them in less exact precisions", table.str(2));
    for (PrecisionTrial const& trial : choice.trials) text += verdict(trial);
    return text + fmt::format("--precision auto gives this network {}{}\n", name_of(choice.precision),
                              choice.trials.empty() ? ": this device has no other" : "");
}

Json ranges_json(PrecisionChoice const& choice) {
    Json operators = Json::array(), trials = Json::array();
    for (OperatorRange const& range : choice.operators) {
        operators.push_back({{"op", range.op},
                             {"module", range.provenance},
                             {"largest", number(range.largest)},
                             {"below_smallest_half", range.small_share}});
    }
    for (PrecisionTrial const& trial : choice.trials) {
        Json layers = Json::array();
        for (auto const& [kernel, error] : trial.layers)
            layers.push_back({{"kernel", kernel}, {"error", number(error)}});
        trials.push_back({{"precision", name_of(trial.precision)},
                          {"exact_enough", trial.why_not.empty()},
                          {"why_not", trial.why_not},
                          {"error", number(trial.error)},
                          {"error_limit", trial.error_limit},
                          {"quality", trial.quality},
                          {"quality_value", number(trial.quality_value)},
                          {"quality_limit", number(trial.quality_limit)},
                          {"operators", layers}});
    }
    return {{"automatic", name_of(choice.precision)},
            {"height", choice.sizes.h},
            {"width", choice.sizes.w},
            {"operators", operators},
            {"trials", trials}};
}

}  // namespace vitrum::cli
