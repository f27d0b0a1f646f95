#!/usr/bin/env bash
# Proves that Apple's arm64 gets the instructions that are tested on Linux: src/context/switch_aarch64.S, assembled for both,
# has the same bytes. And the inline switch, compiled for Apple's systems, leaves x18 to them.
#
#   tools/check_switch_object.sh [SOURCE]     another source than that one
#
# Needs clang and llvm of one version, 19 or what LLVM_VERSION says.
set -euo pipefail
cd "$(dirname "$0")/.."
source=${1:-src/context/switch_aarch64.S}
version=${LLVM_VERSION:-19}
apple=(-target arm64-apple-macos13)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"clang-$version" --target=aarch64-linux-gnu -c "$source" -o "$work/elf.o"
"clang-$version" "${apple[@]}" -c "$source" -o "$work/apple.o"
"llvm-objcopy-$version" -O binary --only-section=.text "$work/elf.o" "$work/elf.bytes"
"llvm-objcopy-$version" --dump-section=__TEXT,__text="$work/apple.bytes" "$work/apple.o"
if [[ ! -s $work/elf.bytes ]]; then echo "found no code in $source" >&2 && exit 1; fi
if ! cmp -s "$work/elf.bytes" "$work/apple.bytes"; then
  echo "$source has other instructions for Apple's arm64 (right) than for Linux (left):" >&2
  for kind in elf apple; do
    "llvm-objdump-$version" -d --no-leading-addr "$work/$kind.o" | grep -P '^\s+[0-9a-f]{8}\s' >"$work/$kind.text"
  done
  diff --side-by-side --suppress-common-lines "$work/elf.text" "$work/apple.text" >&2 || true
  exit 1
fi

# A function in which everything lives across a switch, so that no register is spared.
cat >"$work/inline.cpp" <<'END'
#include <cordage/context/switch.hpp>
long several(cordage::detail::machine_context& from, cordage::detail::machine_context& to, long* values) {
  long held[24];
  for (int i = 0; i < 24; ++i) held[i] = values[i] * i;
  cordage::detail::switch_context(from, to, nullptr);
  for (int i = 0; i < 24; ++i) values[i] += held[i];
  cordage::detail::switch_to_new_stack(from, to.sp, nullptr, {nullptr}, nullptr);
  for (int i = 0; i < 24; ++i) values[i] *= held[i];
  return values[3];
}
END
for level in -O0 -O2; do
  # Only the compiler's own headers are at hand: what the switch includes of the standard library is a placement new.
  mkdir -p "$work/std"
  echo '#include <stddef.h>
inline void* operator new(size_t, void* at) noexcept { return at; }' >"$work/std/new"
  "clang++-$version" "${apple[@]}" -std=c++2b "$level" -Werror -ffreestanding -nostdinc++ -isystem "$work/std" -Iinclude -S "$work/inline.cpp" \
    -o "$work/inline.s"
  if ! grep -q 'br	x16' "$work/inline.s"; then echo "found no switch in what was compiled for Apple's arm64" >&2 && exit 1; fi
  if grep -nwE '[wx]18' "$work/inline.s" >&2; then echo "the switch touches x18, which is Apple's" >&2 && exit 1; fi
done
echo "the same $(stat -c %s "$work/elf.bytes") bytes of code; x18 is left alone"
