#!/usr/bin/env bash
# Runs every fuzz target for some seconds from its seed corpus: scripts/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/build-packages.sh

seconds=${1:-60}
scripts/install-packages.sh "${build_packages[@]}" clang libclang-rt-dev
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz -DCMAKE_UNITY_BUILD=ON
cmake --build --preset fuzz --target fuzz_targets

run_target() {  # TARGET:CORPUS SECONDS
  local target=${1%%:*} new_cases log
  new_cases=$(mktemp -d) log=$(mktemp)
  if ! "build/fuzz/bin/fuzz_$target" -max_total_time="$2" -timeout=25 -rss_limit_mb=3072 -print_final_stats=1 \
       -artifact_prefix="$new_cases/" "$new_cases" "fuzz/corpus/${1#*:}" >"$log" 2>&1; then
    tail -n 40 "$log"
    echo "$target: failed; the input is in $new_cases"
    return 1
  fi
  echo "$target: $(grep -o 'number_of_executed_units: *[0-9]*' "$log" | grep -o '[0-9]*$') inputs in $2 s, none failed"
  rm -rf "$new_cases" "$log"
}
export -f run_target

corpus=(array:array checkpoint:checkpoint/file checkpoint_pickle:checkpoint/pickle
        checkpoint_safetensors:checkpoint/safetensors checkpoint_settings:checkpoint/settings
        engine:engine image:image onnx:onnx onnx_program:onnx)
printf '%s\n' "${corpus[@]}" | xargs -P "$(nproc)" -I {} bash -c 'run_target {} '"$seconds"
