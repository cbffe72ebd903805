#!/usr/bin/env bash
# Builds the CUDA library, which needs no GPU, and opens it: the kernels of all GPUs for sm_80, Hopper's own for sm_90a.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/build-packages.sh

scripts/install-packages.sh "${build_packages[@]}"
nvcc=$(scripts/cuda-compiler.sh)
quickly='-Xcicc -O1 -Xptxas -O1'  # in a third of the time; nothing of it runs here
[ -f build/cuda-check/build.ninja ] ||
  cmake -S . -B build/cuda-check -G Ninja -DCMAKE_BUILD_TYPE=Release -DVITRUM_TESTS=OFF -DVITRUM_CUDA=ON \
    -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DCMAKE_CUDA_COMPILER="$nvcc" \
    -DCMAKE_CUDA_ARCHITECTURES=80-real -DVITRUM_CUDA_FLAGS="$quickly"
cmake --build build/cuda-check --target vitrum_cuda

# Unresolved names, a wrong C entry point or a missing driver show when it is opened, also where there is no GPU.
python3 - build/cuda-check/lib/libvitrum_cuda.so <<'CHECK'
import ctypes, sys

library = ctypes.CDLL(sys.argv[1])
library.vitrum_cuda_open.restype = ctypes.c_void_p
theirs = ctypes.c_char_p()
assert library.vitrum_cuda_open(b"another build", ctypes.byref(theirs)) is None and theirs.value
assert library.vitrum_cuda_open(theirs.value, ctypes.byref(theirs)) is not None
print("opened the CUDA library of build", theirs.value.decode())
CHECK
