// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vitrum::test {

/// Whether the emulated device takes Hopper's kernels. Only those of ELAN can be run.
extern bool emulates_hopper;

}  // namespace vitrum::test
