// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vitrum::cli {

/// From now on Ctrl-C (and SIGTERM) ends the process at once with 128 + the signal, except while files are
/// being written: then as soon as those are complete. Computing holds nothing that would need tidying up.
void handle_interrupts();

/// While one of these lives, on any thread, an interrupt waits. After an interrupt none is made any more: its thread
/// stops.
class FinishFirst {
public:
    FinishFirst();
    ~FinishFirst();
    FinishFirst(FinishFirst const&) = delete;
    FinishFirst& operator=(FinishFirst const&) = delete;
};

}  // namespace vitrum::cli
