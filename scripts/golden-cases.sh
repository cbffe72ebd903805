#!/usr/bin/env bash
# Verifies every golden case of a folder on the CPU and the reference backend: scripts/golden-cases.sh DIR
# A case is a folder with a checkpoint (model.*) and io.safetensors.
set -euo pipefail
cd "$(dirname "$0")/.."

passed=0 failed=0
for io in "$1"/{swinir_,elan_,mst}*/io.safetensors; do
  folder=$(dirname "$io")
  for device in cpu reference; do
    if line=$(build/dev/bin/vitrum verify "$folder"/model.* --golden "$io" --device "$device" 2>&1); then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      printf 'FAILED %s on %s\n%s\n' "$(basename "$folder")" "$device" "$line"
    fi
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
