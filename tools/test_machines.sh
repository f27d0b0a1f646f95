#!/usr/bin/env bash
# Runs the tests of what switches stacks as compiled for other machines, by an emulator (qemu-user).
#
#   tools/test_machines.sh                           every machine, with clang++ and with g++, at -O0 and at -O2
#   tools/test_machines.sh MACHINE KIND [FLAGS…]     one build: aarch64 or riscv64, clang or gcc
#
# Needs Debian's qemu-user, g++-MACHINE-linux-gnu and googletest. PROGRAMS names other tests than those below. A
# build with -mbranch-protection=… is linked so that branch targets are enforced, without what is not made for that in a
# system's start files and in the compiler's library.
set -euo pipefail
cd "$(dirname "$0")/.."

read -ra programs <<<"${PROGRAMS:-unit_switch unit_switch_bad_days unit_coroutine unit_fiber unit_backtrace unit_stack \
  unit_overflow unit_generator no_exceptions}"
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}

emulator() {  # emulator MACHINE: its command, a word a line
  printf '%s\n' "qemu-$1" -L "/usr/$1-linux-gnu"
  # With every extension that it knows; that for RISC-V has them by default.
  if [[ $1 == aarch64 ]]; then printf '%s\n' -cpu max; fi
}

# configure MACHINE KIND DIRECTORY SOURCES OPTIONS…
configure() {
  local machine=$1 kind=$2 directory=$3 sources=$4 triple=$1-linux-gnu language compilers=() launcher=()
  shift 4
  for language in C CXX ASM; do
    case $kind in
      clang) compilers+=("-DCMAKE_${language}_COMPILER_TARGET=$triple") ;;
    esac
  done
  case $kind in
    clang) compilers+=(-DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19) ;;
    gcc) compilers+=("-DCMAKE_C_COMPILER=$triple-gcc-12" "-DCMAKE_CXX_COMPILER=$triple-g++-12") ;;
  esac
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  cmake -S "$sources" -B "$directory" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$machine" "${compilers[@]}" \
    "${launcher[@]}" -DCMAKE_CROSSCOMPILING_EMULATOR="$(emulator "$machine" | paste -sd ';')" "$@" --log-level=NOTICE >/dev/null
}

# GoogleTest for a machine; one for all flags, with what branch protection asks for.
googletest() {
  local machine=$1 protection=
  local directory=$PWD/build/machines/$machine/googletest
  if [[ -e $directory/installed ]]; then return; fi
  if [[ $machine == aarch64 ]]; then protection="-mbranch-protection=standard -mno-outline-atomics"; fi
  configure "$machine" gcc "$directory" /usr/src/googletest -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS="$protection" \
    -DBUILD_GMOCK=OFF -DCMAKE_INSTALL_PREFIX="$directory/installed"
  cmake --build "$directory" --parallel "$jobs" --target install >"$directory.log" 2>&1 || { cat "$directory.log"; exit 1; }
}

# test_one MACHINE KIND FLAGS…
test_one() {
  local machine=$1 kind=$2 flags=${*:3} program
  local directory=build/machines/$machine/$kind${flags// /}
  local link=
  echo "=== $machine, $kind: $flags"
  mkdir -p "$directory"
  if [[ $flags == *-mbranch-protection* ]]; then
    "$machine-linux-gnu-gcc-12" -c tests/platform/start_aarch64.S -o "$directory/start.o"
    flags+=" -mno-outline-atomics"
    link="-nostartfiles $PWD/$directory/start.o -Wl,-z,force-bti"
  fi
  googletest "$machine"
  configure "$machine" "$kind" "$directory" . -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_ASM_FLAGS="$flags" -DCMAKE_EXE_LINKER_FLAGS="$link" -DCORDAGE_BUILD_TESTS=ON -DCORDAGE_BUILD_EXAMPLES=OFF \
    -DCORDAGE_BUILD_BENCH=OFF -DGTest_DIR="$PWD/build/machines/$machine/googletest/installed/lib/cmake/GTest"
  cmake --build "$directory" --parallel "$jobs" --target "${programs[@]}" >"$directory/build.log" 2>&1 \
    || { cat "$directory/build.log"; exit 1; }
  local run
  mapfile -t run < <(emulator "$machine")
  for program in "${programs[@]}"; do
    "${run[@]}" "$directory/tests/$program" >"$directory/$program.log" 2>&1 \
      || { cat "$directory/$program.log"; exit 1; }
    awk -v program="$program" '/^\[  PASSED  \]/ { print "    " program ": " $4 " passed" }
      /: Skipped$/ { getline; reason = $0 }
      /^\[  SKIPPED \].*ms\)$/ { print "    " program ": skipped " $4 ": " reason }' "$directory/$program.log"
  done
}

# SVE's registers, where a vector has 512 bits, and where it has 256.
test_sve() {
  local program=$PWD/build/machines/aarch64/$1_sve compiler=aarch64-linux-gnu-g++-12
  if [[ $1 == clang ]]; then compiler="clang++-19 --target=aarch64-linux-gnu"; fi
  echo "=== aarch64, $1: SVE"
  mkdir -p "${program%/*}"
  # shellcheck disable=SC2086  # the compiler is words
  $compiler -std=c++2b -O2 -march=armv8.2-a+sve -static -Iinclude -Itests/support tests/platform/sve_aarch64.cpp \
    src/context/switch_aarch64.S -o "$program"
  qemu-aarch64 -cpu max "$program"
  qemu-aarch64 -cpu max,sve-max-vq=2 "$program"
}

if [[ $# -gt 0 ]]; then
  test_one "$@"
  exit
fi
for kind in clang gcc; do
  test_one riscv64 "$kind" -O0
  test_one riscv64 "$kind" -O2
  test_one aarch64 "$kind" -O0
  test_one aarch64 "$kind" -O2 -mbranch-protection=standard
  test_sve "$kind"
done
