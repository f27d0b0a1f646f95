#!/usr/bin/env bash
# Configures build/<preset> with the compiler that choose_compiler.sh chooses, and with Ninja where there is one.
#
#   tools/configure.sh PRESET [further arguments for cmake]
#
# CMake cannot change the compiler or the generator of a build directory, so one that was configured with others is
# configured from fresh: a compiler installed or upgraded in between is taken into use by the next `make`.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift

case $preset in
  gcc) kind=gcc ;;
  asan | tsan) kind=clang ;;
  *) kind=any ;;
esac
compiler=$(tools/choose_compiler.sh "$kind")
export CC CXX
CC=${compiler#CC=} CC=${CC%% CXX=*} CXX=${compiler##* CXX=}

generator="Unix Makefiles"
if command -v ninja >/dev/null; then generator=Ninja; fi

# Where ccache is installed, what was compiled before, in whichever checkout, is not compiled again.
launcher=()
if command -v ccache >/dev/null; then
  with_ccache="env;CCACHE_BASEDIR=$PWD;CCACHE_NOHASHDIR=1;ccache"
  launcher=("-DCMAKE_C_COMPILER_LAUNCHER=$with_ccache" "-DCMAKE_CXX_COMPILER_LAUNCHER=$with_ccache")
fi

stamp=build/$preset/toolchain.txt
toolchain="$compiler, $generator, $("$CXX" --version | head -n 1)${launcher[0]+, ccache}"
fresh=()
if [[ $(cat "$stamp" 2>/dev/null) != "$toolchain" ]]; then
  echo "build/$preset: configuring for $toolchain"
  fresh=(--fresh)
fi
cmake ${fresh[@]+"${fresh[@]}"} --preset "$preset" -G "$generator" -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" \
  ${launcher[@]+"${launcher[@]}"} --log-level=NOTICE "$@" >/dev/null
echo "$toolchain" >"$stamp"
