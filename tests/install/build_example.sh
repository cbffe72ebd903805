#!/usr/bin/env bash
# build_example.sh CMAKE BUILD SOURCE SANITIZERS
set -euo pipefail
cmake=$1 build=$2 source=$3 sanitizers=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/installed" >/dev/null
flags=${sanitizers:+-fsanitize=$sanitizers}
"$cmake" -S "$source/examples" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/installed" -DCMAKE_CXX_FLAGS="$flags" >/dev/null
"$cmake" --build "$work/build" >/dev/null
# The smallest model and picture of the tests' own data.
"$work/build/upscale" "$source/tests/data/swinir_lightweight_x2.safetensors" "$source/tests/data/tiny.png" "$work/out.png"
[ -s "$work/out.png" ]
"$work/installed/bin/vitrum" --version
