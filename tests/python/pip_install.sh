#!/usr/bin/env bash
# Installs the package with pip into a fresh environment and uses it there: pip_install.sh PYTHON SOURCE
set -euo pipefail
python=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet "$source[test]" --config-settings=build-dir="$work/build"
cd "$work"
"$work/env/bin/python" -B -m pytest -q --rootdir "$source" "$source/tests/python"
