#!/usr/bin/env bash
# Unpacks Debian's packages for another machine into a folder, which a cross compiler can be pointed to. Nothing is
# installed: apt-get works on lists of its own, so this machine's need not know the other architecture.
#
#   tools/foreign_packages.sh ARCHITECTURE FOLDER PACKAGE…      PACKAGE+: what that depends on, instead
set -euo pipefail
architecture=$1
folder=$2
shift 2

stamp=$folder/packages.txt
if [[ $(cat "$stamp" 2>/dev/null) == "$*" ]]; then exit 0; fi
rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial"
folder=$(cd "$folder" && pwd)
touch "$folder/apt/status"
apt() {  # apt get|cache ARGUMENT…
  "apt-$1" -qq -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt" \
    -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o Debug::NoLocking=1 \
    -o APT::Sandbox::User="$(id -un)" "${@:2}"
}
apt get update
names=()
for name in "$@"; do
  if [[ $name == *+ ]]; then name=$(apt cache depends "${name%+}" | sed -n 's/^ *Depends: //p' | head -n 1); fi
  names+=("$name")
done
(cd "$folder/apt/archives" && apt get download "${names[@]}")
for package in "$folder"/apt/archives/*.deb; do dpkg -x "$package" "$folder"; done
rm -rf "$folder/apt"
echo "$*" >"$stamp"
