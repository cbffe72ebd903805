#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests.
#   ./test.sh                 every test but the slow ones
#   ./test.sh --all           the slow ones too (published sizes against PyTorch)
#   ./test.sh -R Session      other arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")"
source scripts/build-packages.sh

slow=(-LE slow)
if [ "${1:-}" = --all ]; then
  slow=()
  shift
fi

scripts/install-packages.sh "${build_packages[@]}" "${test_packages[@]}"
python=$(scripts/python-packages.sh)
grep -qs 'VITRUM_PYTHON_PACKAGE:BOOL=ON' build/dev/CMakeCache.txt ||
  cmake --preset dev -DCMAKE_UNITY_BUILD=ON -DVITRUM_PYTHON_PACKAGE=ON -DPython_EXECUTABLE="$python"
cmake --build --preset dev
ctest --test-dir build/dev --output-on-failure -j "$(nproc)" ${slow[@]+"${slow[@]}"} "$@"
