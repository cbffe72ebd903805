#!/usr/bin/env bash
# The unit tests under address and undefined-behaviour sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/build-packages.sh

scripts/install-packages.sh "${build_packages[@]}" "${test_packages[@]}"
[ -f build/asan/build.ninja ] || cmake --preset asan -DCMAKE_UNITY_BUILD=ON
cmake --build --preset asan
export UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/scripts/leaks-of-others.txt:print_suppressions=0

# Each program as a whole, in as many shards as there are cores: a process per test, as ctest has it, would spend
# most of the time starting up under the sanitizers.
run_shard() {  # PROGRAM SHARD SHARDS
  local log
  log=$(mktemp)
  if ! GTEST_SHARD_INDEX=$2 GTEST_TOTAL_SHARDS=$3 timeout 600 "$1" --gtest_brief=1 >"$log" 2>&1; then
    cat "$log"
    echo "$1: failed (shard $2 of $3)"
    return 1
  fi
  rm "$log"
}
export -f run_shard

shards=$(nproc)
for program in build/asan/bin/test_*; do
  for ((shard = 0; shard < shards; shard++)); do echo "$program $shard $shards"; done
done | xargs -P "$shards" -L 1 bash -c 'run_shard "$0" "$@"'
echo "all tests passed under the sanitizers"
