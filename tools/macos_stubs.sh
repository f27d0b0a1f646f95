#!/usr/bin/env bash
# What examples and tests that use other libraries need to be compiled and linked for macOS on this machine: the headers
# of Debian's packages, and stubs of the libraries with the names that Debian's export, as in an SDK. A linker proves by
# them that every name exists; nothing that is linked with them runs.
#
#   tools/macos_stubs.sh OUT_DIR      writes OUT_DIR/include and OUT_DIR/lib/lib*.tbd
set -euo pipefail
out=${1:?usage: tools/macos_stubs.sh OUT_DIR}
mkdir -p "$out/include" "$out/lib"

# NAME HEADER..., as they stand in the system's own directory, of which the rest must not be seen.
stub() {
  local name=$1 header library
  shift
  for header in "$@"; do cp -rL "/usr/include/$header" "$out/include/"; done
  library=$(ld -shared -o /dev/null --trace "-l$name" | grep "lib$name\.so" | head -n 1)
  {
    echo "--- !tapi-tbd"
    echo "tbd-version: 4"
    echo "targets: [ x86_64-macos, arm64-macos ]"
    echo "install-name: '@rpath/lib$name.dylib'"
    echo "exports:"
    echo "  - targets: [ x86_64-macos, arm64-macos ]"
    echo "    symbols: [ $(nm -D --defined-only "$library" | awk '$2 ~ /[TDBR]/ { print "_" $3 }' | paste -sd, | sed 's/,/, /g') ]"
    echo "..."
  } >"$out/lib/lib$name.tbd"
}

stub cares ares.h ares_build.h ares_dns.h ares_nameser.h ares_rules.h ares_version.h
stub hiredis hiredis
stub sqlite3 sqlite3.h sqlite3ext.h
