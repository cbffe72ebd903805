#!/usr/bin/env bash
# Prints a path of nvcc: the machine's own, or that of build/cuda-env, which is made of PyPI's packages where there is
# none. Building needs neither a GPU nor a driver.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v nvcc; then exit 0; fi
# One version for all: parts of different releases do not fit together.
packages=(nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-runtime nvidia-cuda-cccl)
version='==13.0.*'
env=build/cuda-env
if [ "$(cat $env/made-of 2>/dev/null)" != "${packages[*]} $version" ]; then
  scripts/install-packages.sh python3-venv >&2
  echo "Installing ${packages[*]} $version into $env" >&2
  python3 -m venv $env
  $env/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: "${packages[@]/%/$version}" >&2
  echo "${packages[*]} $version" >$env/made-of
fi
echo "$PWD"/$env/lib/python3*/site-packages/nvidia/cu13/bin/nvcc
