#!/usr/bin/env bash
# Builds for aarch64 and runs the tests of operators and of what has no files to read under qemu-user: that NEON kernels
# compute what they should. How fast they are, this does not tell.
#   scripts/test-aarch64.sh                                the programs below
#   scripts/test-aarch64.sh test_ops_cpu --gtest_filter=…  one of them, with arguments of its own
set -euo pipefail
cd "$(dirname "$0")/.."

programs=(test_base test_ir test_passes test_ops_cpu)
[ $# -eq 0 ] || programs=("$1")
scripts/install-packages.sh g++ cmake ninja-build pkg-config g++-aarch64-linux-gnu qemu-user
scripts/aarch64-sysroot.sh
cmake --preset aarch64
cmake --build --preset aarch64 --target "${programs[@]}"
for program in "${programs[@]}"; do
  qemu-aarch64 -L build/aarch64-sysroot/root "build/aarch64/bin/$program" --gtest_brief=1 "${@:2}"
done
