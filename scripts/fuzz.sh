#!/usr/bin/env bash
# Runs every fuzz target for some seconds from its seed corpus: scripts/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/build-packages.sh

seconds=${1:-60}
scripts/install-packages.sh "${build_packages[@]}" clang libclang-rt-dev
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz
cmake --build --preset fuzz --target fuzz_targets

corpus=(array:array checkpoint:checkpoint/file checkpoint_pickle:checkpoint/pickle
        checkpoint_safetensors:checkpoint/safetensors checkpoint_settings:checkpoint/settings
        engine:engine image:image onnx:onnx onnx_program:onnx)
for pair in "${corpus[@]}"; do
  target=${pair%%:*}
  new_cases=$(mktemp -d) log=$(mktemp)
  if ! "build/fuzz/bin/fuzz_$target" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=3072 -print_final_stats=1 \
       -artifact_prefix="$new_cases/" "$new_cases" "fuzz/corpus/${pair#*:}" >"$log" 2>&1; then
    tail -n 40 "$log"
    echo "$target: failed; the input is in $new_cases"
    exit 1
  fi
  echo "$target: $(grep -o 'number_of_executed_units: *[0-9]*' "$log" | grep -o '[0-9]*$') inputs in $seconds s, none failed"
  rm -rf "$new_cases" "$log"
done
