# AArch64 Linux, built on another machine. The compiler is clang or Debian's GCC for that machine, as CC and CXX say.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/emulated-linux.cmake)
