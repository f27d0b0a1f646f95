#!/usr/bin/env bash
# Compiles layers 0 to 3 as a microcontroller would: freestanding, without exceptions and RTTI. Nothing is linked. Each
# header is compiled alone, which also proves that it includes what it uses.
#
#   tools/check_freestanding.sh COMPILER
#
# Left out are files that say by name that they need an operating system (*_hosted.*, *_posix.*), the half of a pair
# that is for programs with exceptions, and files of another processor or system than the compiler's.
set -euo pipefail
export compiler=${1:?usage: tools/check_freestanding.sh COMPILER}
cd "$(dirname "$0")/.."

compile_alone() {
  local flags="-std=c++23 -ffreestanding -fno-exceptions -fno-rtti -fsyntax-only -Wall -Werror -Iinclude -Isrc"
  local name=${1#include/}
  # Through an #include, since a header given to the compiler itself draws warnings about its #pragma once.
  # shellcheck disable=SC2086  # the flags are words
  echo "#include \"${name#src/}\"" | "$compiler" $flags -x c++ - || { echo "not freestanding: $1" >&2 && return 1; }
}
export -f compile_alone

machine=$("$compiler" -dumpmachine)
machine=${machine/#arm64/aarch64}
is_ours() {
  local platform
  case $1 in *_hosted.?pp | *_posix.?pp | */exceptions_on.hpp) return 1 ;; esac
  for platform in x86_64 aarch64 riscv64 linux darwin; do
    if [[ ${1##*/} == *_"$platform"[_.]* && $machine != *$platform* ]]; then return 1; fi
  done
}

files=()
while IFS= read -r file; do
  if is_ours "$file"; then files+=("$file"); fi
done < <(python3 tools/check_layers.py --list 3)
if [[ ${#files[@]} -eq 0 ]]; then echo "found nothing to check" >&2 && exit 1; fi

# shellcheck disable=SC2016  # the inner shell expands it
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P 2 bash -c 'compile_alone "$1"' -
echo "compiled ${#files[@]} files"
