#!/usr/bin/env bash
# Makes sure that this machine has what building and testing need; silent when it does. What is missing is named, with
# the reason, and then installed through apt-get where there is one and the right to use it.
#
#   tools/bootstrap.sh NEED…        needs: build test lldb asan tsan gcc flags platforms kernel bench format
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
reasons=()

want() {  # want PACKAGE REASON
  packages+=("$1")
  reasons+=("$2")
}

on_macos() { [[ $OSTYPE == darwin* ]]; }

has() { command -v "$1" >/dev/null 2>&1; }

# What a user may start, although it is in the PATH of root only.
has_in_sbin() { has "$1" || [[ -x /usr/sbin/$1 || -x /usr/local/sbin/$1 ]]; }

has_new_cmake() {
  local version
  version=$(cmake --version 2>/dev/null) || return 1
  version=${version#cmake version }
  [[ ${version%%[!0-9.]*} =~ ^([0-9]+)\.([0-9]+) ]]
  ((BASH_REMATCH[1] > 3 || (BASH_REMATCH[1] == 3 && BASH_REMATCH[2] >= 25)))
}

has_googletest() {
  # A GoogleTest that somebody points CMake to is theirs to provide.
  if [[ -n ${GTest_ROOT:-}${GTest_DIR:-}${CMAKE_PREFIX_PATH:-} ]]; then return; fi
  has_header gtest/gtest.h
}

has_header() {
  local directory
  for directory in /usr/include /usr/local/include /opt/homebrew/include; do
    if [[ -e $directory/$1 ]]; then return; fi
  done
  return 1
}

has_llhttp() {
  local directory
  for directory in /usr/share /usr/local/share; do
    if [[ -e $directory/llhttp/llhttp.c ]]; then return; fi
  done
  return 1
}

has_openbsd_netcat() { has nc.openbsd || [[ $(nc -h 2>&1) == *-N* ]]; }

need_build() {
  has_new_cmake || want cmake "the build needs CMake 3.25 or newer"
  has make || want make "the build is started by make"
  on_macos || tools/choose_compiler.sh >/dev/null 2>&1 || want g++ "no clang++ 19 or newer and no g++ 12 or newer is here"
}

need_test() {
  has_googletest || want libgtest-dev "the tests are written with GoogleTest"
  has python3 || want python3 "the checks of the source tree are Python scripts"
  on_macos || has gdb || want gdb "what a debugger sees of fibers and tasks is tested, too"
  has socat || want socat "the system tests talk to the examples with it"
  has_header ares.h || want libc-ares-dev "an example awaits its callbacks, and is tested"
  has_header hiredis/async.h || want libhiredis-dev "an example awaits its callbacks, and is tested"
  on_macos || has_header sqlite3.h || want libsqlite3-dev "an example waits inside of its callbacks, and is tested"
  on_macos || has_llhttp || want node-llhttp "an example speaks HTTP by its parser, and is tested and fuzzed"
  has curl || want curl "the HTTP example is asked by it"
  has wrk || want wrk "the HTTP example is loaded by it"
  on_macos || has_openbsd_netcat || want netcat-openbsd "the system tests talk to the examples with it"
  { has redis-cli && has redis-benchmark; } || want redis-tools "resp_server is tested with redis' own clients"
  # Where systemd runs, its package starts a service on 127.0.0.1:6379. The tests do not use that: they start their own.
  has redis-server || want redis-server "redis_client is tested with it; disable its service if you do not want one"
}

need_gcc() {
  tools/choose_compiler.sh gcc >/dev/null 2>&1 || want g++ "the library is also tested with GCC"
}

need_sanitizers() {
  local compiler version runtimes
  compiler=$(tools/choose_compiler.sh clang 2>/dev/null) || compiler="CC=clang-19 CXX=clang++-19"
  compiler=${compiler##* CXX=}
  version=${compiler#clang++}
  has "$compiler" || want "clang$version" "the sanitizers of GCC 12 do not cope with many fibers"
  runtimes=$("$compiler" -print-resource-dir 2>/dev/null || true)/lib
  compgen -G "$runtimes/*/libclang_rt.tsan*" >/dev/null || want "libclang-rt$version-dev" "the sanitizers' runtimes"
  has "ld.lld$version" || want "lld$version" "programs with sanitizers are linked with it, three times as fast"
  has "llvm-symbolizer$version" || want "llvm$version" "its llvm-symbolizer names functions in sanitizer reports"
}

# The version that docs/benchmarks.md compares with, where there is one.
boost_package() {
  if apt-cache show "libboost-${1}1.81-dev" >/dev/null 2>&1; then echo "libboost-${1}1.81-dev"; else echo "libboost-$1-dev"; fi
}

need_bench() {
  has valgrind || want valgrind "the benchmarks count instructions with it"
  [[ -e /usr/include/boost/coroutine2/coroutine.hpp ]] || want "$(boost_package context)" "stacks are compared with Boost's"
  [[ -e /usr/include/boost/fiber/buffered_channel.hpp ]] || want "$(boost_package fiber)" "channels are compared with Boost's"
  # As above for both: nginx' service is on port 80.
  has_in_sbin nginx || want nginx "http_server is compared with it; disable its service if you do not want one"
  has redis-server || want redis-server "resp_server is compared with it; disable its service if you do not want one"
  [[ -e /usr/include/asio.hpp ]] || want libasio-dev "http_server is compared with the same server on asio"
  has_llhttp || want node-llhttp "http_server, and what it is compared with, parses with it"
}

# Both compilers, and a linker that reads what clang writes with -flto.
need_flags() {
  need_gcc
  local compiler version
  compiler=$(tools/choose_compiler.sh clang 2>/dev/null) || compiler="CC=clang-19 CXX=clang++-19"
  compiler=${compiler##* CXX=}
  version=${compiler#clang++}
  has "$compiler" || want "clang$version" "the flags of both compilers are tested"
  has "ld.lld$version" || want "lld$version" "clang's link-time optimization needs it"
}

# Other machines: their compilers, and the emulator that runs what these make. zig has a script of its own.
need_platforms() {
  need_sanitizers
  has qemu-aarch64 || want qemu-user "runs the tests of other machines"
  has aarch64-linux-gnu-g++ || want g++-aarch64-linux-gnu "compiles the tests for AArch64, and has its C++ library"
  has riscv64-linux-gnu-g++ || want g++-riscv64-linux-gnu "compiles the tests for 64-bit RISC-V, and has its C++ library"
  [[ -e /usr/src/googletest/CMakeLists.txt ]] || want googletest "GoogleTest is compiled for other machines"
  has_llhttp || want node-llhttp "the HTTP example is built for other machines, too"
  has ninja || want ninja-build "what is built for other machines is built with it"
}

# Without it one test is left out.
need_lldb() {
  local version
  for version in "" -19 -20 -21; do
    if has "lldb$version"; then return; fi
  done
  want lldb-19 "what a second debugger sees is tested, too"
}

# What tools/test_platforms.py --all needs besides: a whole emulated machine.
need_kernel() {
  has qemu-system-aarch64 || want qemu-system-arm "runs tests on a real kernel for AArch64"
  has cpio || want cpio "packs what that kernel starts with"
}

need_format() { has clang-format || want clang-format "make format calls it"; }

find_missing() {
  packages=()
  reasons=()
  local need sanitizers_done=""
  for need in "$@"; do
    case $need in
      build | test | lldb | gcc | bench | flags | platforms | kernel | format) "need_$need" ;;
      asan | tsan) if [[ -z $sanitizers_done ]]; then need_sanitizers && sanitizers_done=yes; fi ;;
      *) echo "bootstrap.sh: unknown need '$need'" >&2 && exit 2 ;;
    esac
  done
}

print_missing() {
  local i
  for i in "${!packages[@]}"; do printf '  %-20s %s\n' "${packages[i]}" "${reasons[i]}"; done
}

refuse() {
  echo "$1; please install these and try again (the names are Debian's):"
  print_missing
  exit 1
} >&2

find_missing "$@"
if [[ ${#packages[@]} -eq 0 ]]; then exit 0; fi

# What Homebrew calls it.
homebrew_name() {
  case $1 in
    libgtest-dev) echo googletest ;;
    python3) echo python ;;
    libc-ares-dev) echo c-ares ;;
    libhiredis-dev) echo hiredis ;;
    redis-tools | redis-server) echo redis ;;
    *) echo "$1" ;;
  esac
}

if on_macos; then
  has brew || refuse "There is no Homebrew here (https://brew.sh)"
  for i in "${!packages[@]}"; do packages[i]=$(homebrew_name "${packages[i]}"); done
  echo "Installing with Homebrew:"
  print_missing
  brew install "${packages[@]}" || refuse "Homebrew could not install everything"
  exit 0
fi

has apt-get || refuse "There is no apt-get here"
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  sudo -n true 2>/dev/null || refuse "Installing needs root, and sudo is not there or asks for a password"
  as_root=(sudo)
fi

echo "Installing with apt-get:"
print_missing
apt_get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
# One unreachable source of the machine's list must not stand in the way of packages that another one has.
"${apt_get[@]}" update || echo "apt-get update had errors; trying with the lists that are there" >&2
apt-get install --assume-no --no-install-recommends "${packages[@]}" </dev/null 2>/dev/null | sed -n 's/^\(Need\|After\)/  &/p' || true
"${apt_get[@]}" install -y --no-install-recommends "${packages[@]}" </dev/null \
  || refuse "apt-get could not install everything"

find_missing "$@"
if [[ ${#packages[@]} -ne 0 ]]; then refuse "apt-get installed what it has, and that does not do (what Debian 12 has does)"; fi
