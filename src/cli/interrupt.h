// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vitrum::cli {

/// From now on Ctrl-C (and SIGTERM) ends the process at once with 128 + the signal, except while a file is
/// being written: then as soon as that is complete. Computing holds nothing that would need tidying up.
void handle_interrupts();

/// While one of these lives, an interrupt waits.
class FinishFirst {
public:
    FinishFirst();
    ~FinishFirst();
    FinishFirst(FinishFirst const&) = delete;
    FinishFirst& operator=(FinishFirst const&) = delete;
};

}  // namespace vitrum::cli
