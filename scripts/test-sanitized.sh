#!/usr/bin/env bash
# The unit tests under address and undefined-behaviour sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/build-packages.sh

scripts/install-packages.sh "${build_packages[@]}" "${test_packages[@]}"
[ -f build/asan/build.ninja ] || cmake --preset asan
cmake --build --preset asan
# libvips and what it loads keep caches until exit; our own leaks show in every other suppression-free frame.
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir build/asan --output-on-failure -j "$(nproc)" "$@"
