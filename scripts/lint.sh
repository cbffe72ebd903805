#!/usr/bin/env bash
# Checks the style of every source file, and with --tidy runs clang-tidy over them (minutes): scripts/lint.sh [--tidy]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/build-packages.sh

scripts/install-packages.sh clang-format
mapfile -t sources < <(git ls-files 'include/*.h' 'src/*.cpp' 'src/*.h' 'tests/*.cpp' 'tests/*.h' 'bench/*.cpp' 'fuzz/*.cpp' \
                                    'fuzz/*.h' 'examples/*.cpp' 'python/src/*.cpp' 'python/src/*.h')
clang-format --dry-run -Werror "${sources[@]}"
long=$(wc -l "${sources[@]}" | awk '$2 != "total" && $1 > 400 { print $2 ": " $1 " lines" }')
[ -z "$long" ] || { echo "longer than 400 lines:"; echo "$long"; exit 1; }
[ "${1:-}" = --tidy ] || exit 0

scripts/install-packages.sh "${build_packages[@]}" "${test_packages[@]}" clang-tidy
cmake --preset dev -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
# Clang does not know all of GCC's warnings.
printf '%s\n' "${sources[@]}" | grep -E '^(src|tests)/.*\.cpp$' | grep -v -- '/simd/' |
  xargs -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option
