#!/usr/bin/env bash
# Makes build/aarch64-sysroot/root: this distribution's packages of another processor, unpacked into a folder of their own.
# Installed beside this machine's own (multiarch), several of them would replace those. Needs no root. They come from where
# this machine's packages come from; Ubuntu keeps those of arm64 in its ports archive, which has to be among its sources.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/build-packages.sh
source /etc/os-release

packages=("${test_packages[@]}")
for package in "${build_packages[@]}"; do
  [[ $package =~ ^(g\+\+|cmake|ninja-build|pkg-config)$ ]] || packages+=("$package")
done
folder=$PWD/build/aarch64-sysroot
made_of="$VERSION_CODENAME ${packages[*]}"
[ "$(cat "$folder/made-of" 2>/dev/null)" = "$made_of" ] && exit 0

rm -rf "$folder"
mkdir -p "$folder"/{root,lists/partial,archives/partial}
: >"$folder/status"
cat >"$folder/apt.conf" <<CONFIG
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::State::Lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder";
CONFIG
export APT_CONFIG=$folder/apt.conf
echo "Fetching packages for aarch64 into $folder"
apt-get update -qq
apt-get install -qq -y --download-only --no-install-recommends "${packages[@]}" >"$folder/log" 2>&1 ||
  { tail -n 20 "$folder/log" >&2 && exit 1; }
find "$folder/archives" -name '*.deb' -exec dpkg -x {} "$folder/root" \;
ln -s hdf5-serial.pc "$folder/root/usr/lib/aarch64-linux-gnu/pkgconfig/hdf5.pc"  # an alternative that installing chooses
[ -e "$folder/root/lib" ] || ln -s usr/lib "$folder/root/lib"  # which newer distributions have merged
rm -rf "$folder/archives" "$folder/lists"
echo "$made_of" >"$folder/made-of"
