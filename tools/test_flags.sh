#!/usr/bin/env bash
# Runs the tests of what switches stacks as compiled with other flags than the presets', with clang++ and with g++.
#
#   tools/test_flags.sh          what differs most
#   tools/test_flags.sh --all    each flag by itself, and valgrind
set -euo pipefail
cd "$(dirname "$0")/.."

programs=(unit_switch unit_coroutine unit_coroutine_in_strands unit_fiber unit_backtrace unit_overflow unit_stack
  unit_stop unit_task unit_scope)
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

protection=-fcf-protection=full
if [[ $family == aarch64 ]]; then protection=-mbranch-protection=standard; fi

mkdir -p build/flags
if [[ ${1:-} != --all ]]; then
  both plain -O0 -fno-omit-frame-pointer "$protection"
  both hard -O3 -march=native -flto -fomit-frame-pointer
  exit
fi

both O0 -O0
both O1 -O1
both O2_frame_pointers -O2 -fno-omit-frame-pointer
both O2_no_frame_pointers -O2 -fomit-frame-pointer
both Os -Os
both O3_native -O3 -march=native
both lto -O2 -flto
both protection -O2 "$protection"

# valgrind of 2022 cannot read clang's debug information. Its threads take turns, and a death test's child is another program.
for kind in clang gcc; do
  build "$kind" valgrind -O1 -g0
  run "$kind" valgrind valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite
done
