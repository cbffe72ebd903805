// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "command.h"
#include "run_options.h"
#include "run_restore.h"
#include "run_segment.h"
#include "vitrum/error.h"

namespace vitrum::cli {
namespace {

int run_task(CLI::App const& app, RunOptions& options) {
    settle_run_options(options);
    Engine const engine = open_engine(options.model);
    refuse_options_of_other_tasks(app, engine.info());
    switch (engine.info().kind) {
        case Task::restore: return run_restore(options, engine);
        case Task::segment: return run_segment(options, engine);
        case Task::spectral: break;
    }
    throw Error(engine.info().variant +
                    ": `vitrum run` has no pipeline for this task yet; `vitrum verify` runs it on "
                    "raw tensors",
                ErrorKind::usage);
}

}  // namespace

Command add_run(CLI::App& root) {
    CLI::App* const app = root.add_subcommand("run", "Run a model on pictures");
    auto const options = std::make_shared<RunOptions>();
    add_run_options(*app, *options);
    return {app, [app, options] { return run_task(*app, *options); }};
}

}  // namespace vitrum::cli
