#!/usr/bin/env bash
# Runs the tests of what switches stacks as compiled with other flags than the presets', with clang++ and with g++.
#
#   tools/test_flags.sh          what differs most
#   tools/test_flags.sh --all    each flag by itself, and sanitizers and valgrind at each level of optimization
set -euo pipefail
cd "$(dirname "$0")/.."

programs=(unit_switch unit_switch_bad_days unit_coroutine unit_coroutine_in_strands unit_fiber unit_backtrace unit_overflow unit_stack
  unit_stop unit_task unit_scope unit_wide_registers)
jobs=$(getconf _NPROCESSORS_ONLN)
family=$(uname -m)

build() {  # build KIND NAME FLAGS…: build/flags/KIND_NAME has the programs then
  local kind=$1 name=$1_$2 compiler
  shift 2
  echo "=== $name: $*"
  compiler=$(tools/choose_compiler.sh "$kind")
  local linker=()
  if [[ $kind == clang && $* == *-flto* ]]; then linker=(-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld); fi
  cmake -S . -B "build/flags/$name" -DCMAKE_C_COMPILER="$(sed 's/CC=\(.*\) CXX=.*/\1/' <<<"$compiler")" \
    -DCMAKE_CXX_COMPILER="${compiler##* CXX=}" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="$*" -DCMAKE_C_FLAGS="$*" \
    -DCMAKE_ASM_FLAGS="$(sed 's/-flto[^ ]*//' <<<"$*")" -DCORDAGE_BUILD_TESTS=ON -DCORDAGE_BUILD_BENCH=OFF "${linker[@]}" \
    --log-level=NOTICE >/dev/null
  cmake --build "build/flags/$name" --parallel "$jobs" --target "${programs[@]}" >"build/flags/$name.log" 2>&1 \
    || { cat "build/flags/$name.log"; exit 1; }
}

run() {  # run KIND NAME [COMMAND…]: all of them, one after another, by that command
  local directory=build/flags/$1_$2/tests program
  shift 2
  for program in "${programs[@]}"; do
    "$@" "$directory/$program" --gtest_brief=1 >"$directory/$program.log" 2>&1 || { cat "$directory/$program.log"; exit 1; }
  done
}

both() {  # both NAME FLAGS…
  local kind
  for kind in clang gcc; do
    build "$kind" "$@"
    run "$kind" "$1"
  done
}

# What an object does not claim is off in every program that it is linked into: the switch knows nothing of shadow stacks.
no_shadow_stacks() {  # no_shadow_stacks NAME
  local kind object
  if [[ $family != x86_64 ]]; then return; fi
  for kind in clang gcc; do
    object=$(find "build/flags/${kind}_$1" -name 'switch_x86_64.S.o')
    if [[ -z $object ]]; then echo "build/flags/${kind}_$1 has no switch_x86_64.S.o" >&2 && exit 1; fi
    if readelf -n "$object" | grep -q SHSTK; then echo "$object says that shadow stacks may be on" >&2 && exit 1; fi
  done
}

protection=-fcf-protection=full
if [[ $family == aarch64 ]]; then protection=-mbranch-protection=standard; fi

mkdir -p build/flags
if [[ ${1:-} != --all ]]; then
  both plain -O0 -fno-omit-frame-pointer "$protection"
  no_shadow_stacks plain
  both hard -O3 -march=native -flto=auto -fomit-frame-pointer
  exit
fi

both O0 -O0
both O1 -O1
both O2_frame_pointers -O2 -fno-omit-frame-pointer
both O2_no_frame_pointers -O2 -fomit-frame-pointer
both Os -Os
both O3_native -O3 -march=native
both lto -O2 -flto=auto
both protection -O2 "$protection"

# The presets' sanitizers are clang's, at -O1.
check=(-fno-omit-frame-pointer -fno-sanitize-recover=all)
for sanitizers in address,undefined thread; do
  for level in "-O0" "-O2" "-O3 -march=native" "-O2 -flto=auto"; do
    # shellcheck disable=SC2086  # several flags in one
    both "$(tr -d ' =-' <<<"${sanitizers}_$level")" $level -fsanitize=$sanitizers "${check[@]}"
  done
done

# valgrind of 2022 cannot read clang's debug information, nor does it know every instruction that -march=native may give. Its
# threads take turns, and a death test's child is another program. To unmap the stacks of a hundred thousand fibers takes it minutes.
for level in "-O0" "-O2 -fno-omit-frame-pointer" "-O3 -fomit-frame-pointer"; do
  for kind in clang gcc; do
    name=$(tr -d ' =-' <<<"valgrind_$level")
    # shellcheck disable=SC2086
    build "$kind" "$name" $level -g0
    run "$kind" "$name" env 'GTEST_FILTER=-*hundred_thousand*' valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite
  done
done
