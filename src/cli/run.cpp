// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <memory>

#include "command.h"
#include "run_options.h"
#include "run_restore.h"
#include "run_segment.h"
#include "run_spectral.h"
#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

int run_task(Verb const& verb, RunOptions& options) {
    settle_run_options(options);
    Engine const engine = open_engine(options.model);
    refuse_options_of_other_tasks(verb, engine.info());
    switch (engine.info().kind) {
        case Task::restore: return run_restore(options, engine);
        case Task::spectral: return run_spectral(options, engine);
        case Task::segment: break;
        case Task::tensors:
            throw Error(
                fmt::format("{}: takes and gives tensors that are no pictures; `vitrum verify --golden` feeds it, "
                            "`vitrum bench` and `vitrum profile` measure it",
                            options.model.model));
    }
    return run_segment(options, engine);
}

}  // namespace

Command add_run(CLI::App& root) {
    Verb const verb(root, "run", "Run a model on pictures");
    auto const options = std::make_shared<RunOptions>();
    add_run_options(verb, *options);
    return {verb, [verb, options] { return run_task(verb, *options); }};
}

}  // namespace vitrum::cli
