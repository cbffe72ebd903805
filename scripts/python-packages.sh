#!/usr/bin/env bash
# Makes build/python-env, a Python with what building and testing the package needs, and prints its interpreter.
# Quick and silent where it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=('nanobind>=3.1,<4' 'numpy>=1.23' 'pytest>=7' 'mypy>=1.8')
env=build/python-env
if [ "$(cat $env/made-of 2>/dev/null)" != "${packages[*]}" ]; then
  scripts/install-packages.sh python3-dev python3-venv >&2
  echo "Installing ${packages[*]} into $env" >&2
  python3 -m venv $env
  $env/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: "${packages[@]}" >&2
  echo "${packages[*]}" >$env/made-of
fi
echo "$PWD/$env/bin/python"
