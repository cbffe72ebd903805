#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#   ./test.sh                 every test
#   ./test.sh -R Session      arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")"
source scripts/build-packages.sh

scripts/install-packages.sh "${build_packages[@]}" "${test_packages[@]}"
[ -f build/dev/build.ninja ] || cmake --preset dev
cmake --build --preset dev
ctest --test-dir build/dev --output-on-failure -j "$(nproc)" "$@"
