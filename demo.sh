#!/usr/bin/env bash
# Upscales a photo with the bundled model and puts the result beside plain bicubic enlargement.
#   ./demo.sh [PHOTO]
set -euo pipefail
photo=$(realpath -- "${1:-$(dirname "$0")/examples/photo.png}")
cd "$(dirname "$0")"
source scripts/build-packages.sh

scripts/install-packages.sh "${build_packages[@]}"
[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
if ! cmake --build --preset release --target vitrum_command -- -n | grep -q 'no work to do'; then
  echo "Building vitrum (once; a few minutes on two cores)"
  cmake --build --preset release --target vitrum_command
fi

mkdir -p demo-output
name=$(basename -- "${photo%.*}")
build/release/bin/vitrum run zoo/models/swinir_lightweight_x2.safetensors "$photo" \
  -o "demo-output/${name}_x2.png" --compare "demo-output/${name}_bicubic_vs_vitrum.png"
echo "Result:                             demo-output/${name}_x2.png"
echo "Beside bicubic (left) for looking:  demo-output/${name}_bicubic_vs_vitrum.png"
