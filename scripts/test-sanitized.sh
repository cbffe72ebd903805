#!/usr/bin/env bash
# The unit tests under address and undefined-behaviour sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/build-packages.sh

scripts/install-packages.sh "${build_packages[@]}" "${test_packages[@]}"
[ -f build/asan/build.ninja ] || cmake --preset asan
cmake --build --preset asan
export UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir build/asan --output-on-failure -j "$(nproc)" -LE slow "$@"
