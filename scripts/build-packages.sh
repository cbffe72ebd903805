# The packages that a build needs; sourced by demo.sh and test.sh.
build_packages=(g++ cmake ninja-build pkg-config libfmt-dev libvips-dev libhwy-dev libcli11-dev nlohmann-json3-dev libxxhash-dev libhdf5-dev libprotozero-dev zlib1g-dev)
test_packages=(libgtest-dev)
