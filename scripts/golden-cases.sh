#!/usr/bin/env bash
# Verifies every golden case of a folder on the CPU and the reference backend: scripts/golden-cases.sh DIR
# A case is a folder with a checkpoint (model.*, or the folder hf) and io.safetensors.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."

passed=0 failed=0
for io in "$1"/*/io.safetensors; do
  folder=$(dirname "$io")
  model=("$folder"/model.* "$folder"/hf)
  for device in cpu reference; do
    if line=$(build/dev/bin/vitrum verify "${model[0]}" --golden "$io" --device "$device" 2>&1); then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      printf 'FAILED %s on %s\n%s\n' "$(basename "$folder")" "$device" "$line"
    fi
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
