#!/usr/bin/env bash
# Prints the compiler to build with, as `CC=clang-19 CXX=clang++-19`, or refuses and says what to install.
#
#   tools/choose_compiler.sh          clang++ 19 or newer where there is one, otherwise g++ 12 or newer
#   tools/choose_compiler.sh clang    only clang++    (the sanitizers of GCC 12 do not cope with many fibers)
#   tools/choose_compiler.sh gcc      only g++
#
# A compiler named in the environment variables CC and CXX is taken as it is, except where one kind is asked for.
set -euo pipefail
kind=${1:-any}

# GCC and clang 12 to 18 lack what the library needs of C++23: clang below 19 hides std::expected of libstdc++.
least_clang=19
least_gcc=12

major() {  # the major version of a compiler, 0 if it cannot be run
  local version
  version=$("$1" -dumpversion 2>/dev/null) || version=0
  echo "${version%%.*}"
}

# With Apple's own library, in which std::expected is not hidden, clang 16 is enough. There is no g++: what has its name is clang.
least_plain_clang=$least_clang
if [[ $OSTYPE == darwin* ]]; then least_plain_clang=16; fi

choose() {  # choose CC CXX LEAST: prints and ends if CXX is there and new enough
  command -v "$2" >/dev/null && [[ $(major "$2") -ge $3 ]] || return 0
  echo "CC=$1 CXX=$2"
  exit 0
}

if [[ $kind == any && -n ${CC:-} && -n ${CXX:-} ]]; then
  echo "CC=$CC CXX=$CXX"
  exit 0
fi
if [[ $kind != gcc ]]; then
  for version in 19 20 21; do choose "clang-$version" "clang++-$version" "$least_clang"; done
  choose clang clang++ "$least_plain_clang"
fi
if [[ $kind != clang && $OSTYPE != darwin* ]]; then
  choose gcc g++ "$least_gcc"
  for version in 12 13 14; do choose "gcc-$version" "g++-$version" "$least_gcc"; done
fi

case $OSTYPE-$kind in
  darwin*-gcc) echo "there is no g++ on macOS" ;;
  darwin*) echo "no clang++ 16 or newer found; xcode-select --install, or a newer Xcode" ;;
  *-clang) echo "no clang++ 19 or newer found; on Debian or Ubuntu: apt-get install clang-19" ;;
  *-gcc) echo "no g++ 12 or newer found; on Debian or Ubuntu: apt-get install g++" ;;
  *) echo "no clang++ 19 and no g++ 12 (or newer) found; on Debian or Ubuntu: apt-get install clang-19, or g++" ;;
esac >&2
exit 1
