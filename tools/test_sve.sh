#!/usr/bin/env bash
# Sees that the registers of AArch64's SVE are kept over a switch, where a vector has 512 bits and where it has 256.
#
#   tools/test_sve.sh COMPILER      "aarch64-linux-gnu-g++", or "clang++-19 --target=aarch64-linux-gnu"
set -euo pipefail
cd "$(dirname "$0")/.."
read -ra compiler <<<"$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${compiler[@]}" -std=c++2b -O2 -march=armv8.2-a+sve -static -Iinclude -Itests/support tests/platform/sve_aarch64.cpp \
  src/context/switch_aarch64.S -o "$work/sve"
for processor in max max,sve-max-vq=2; do qemu-aarch64 -cpu "$processor" "$work/sve"; done
echo "passed"
