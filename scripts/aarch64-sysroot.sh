#!/usr/bin/env bash
# Makes build/aarch64-sysroot/root: this distribution's packages of another processor, unpacked into a folder of their own.
# Installed beside this machine's own (multiarch), several of them would replace those. Needs no root.
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

case $ID in
  debian) source="http://deb.debian.org/debian $VERSION_CODENAME main" keys=debian-archive-keyring.gpg ;;
  ubuntu) source="http://ports.ubuntu.com/ubuntu-ports $VERSION_CODENAME main universe" keys=ubuntu-archive-keyring.gpg ;;
  *) echo "Packages for aarch64 are known for Debian and Ubuntu, not for '$ID'." >&2 && exit 1 ;;
esac
rm -rf "$folder"
mkdir -p "$folder"/{root,lists/partial,archives/partial}
: >"$folder/status"
echo "deb [arch=arm64 signed-by=/usr/share/keyrings/$keys] $source" >"$folder/sources.list"
cat >"$folder/apt.conf" <<CONFIG
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::State::Lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
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
