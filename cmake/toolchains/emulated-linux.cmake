# What the toolchains of emulated Linux machines share: the machine is CMAKE_SYSTEM_PROCESSOR.
#
#   CORDAGE_SYSROOT             where Debian's packages for that machine have been unpacked, besides the cross compiler's own
#   CORDAGE_EMULATOR            the command that runs a program, if not that below
#   CORDAGE_BRANCH_PROTECTION   AArch64: what is compiled with -mbranch-protection is linked so that the processor enforces
#                               it, without Debian's start files, which are not made for that
set(triple ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu)
foreach(language IN ITEMS C CXX ASM)
  set(CMAKE_${language}_COMPILER_TARGET ${triple})
endforeach()

if(NOT CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX})
  message(FATAL_ERROR "Name the compilers for ${triple}: CC=clang-19 CXX=clang++-19 cmake ..., or CC=${triple}-gcc CXX=${triple}-g++")
endif()

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CORDAGE_SYSROOT CORDAGE_BRANCH_PROTECTION)
set(CMAKE_LIBRARY_ARCHITECTURE ${triple})
set(CMAKE_FIND_ROOT_PATH ${CORDAGE_SYSROOT} /usr/${triple})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind IN ITEMS LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()

# A program is linked as NAME.elf, and NAME is a script that runs it in the emulator: so whoever starts programs, the tests of
# the examples and GoogleTest itself, need not know that they are another machine's.
set(CORDAGE_EMULATOR "qemu-${CMAKE_SYSTEM_PROCESSOR} -L /usr/${triple}" CACHE STRING "Runs a program of the target machine")
if(CORDAGE_BRANCH_PROTECTION)
  set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-nostartfiles ${CMAKE_CURRENT_LIST_DIR}/../../tests/platform/start_aarch64.S -Wl,-z,force-bti")
endif()
get_property(trying GLOBAL PROPERTY IN_TRY_COMPILE)
if(NOT trying)
  foreach(language IN ITEMS C CXX)
    set(CMAKE_${language}_LINK_EXECUTABLE
      "<CMAKE_${language}_COMPILER> <FLAGS> <CMAKE_${language}_LINK_FLAGS> <LINK_FLAGS> <OBJECTS> -o <TARGET>.elf <LINK_LIBRARIES>"
      "${CMAKE_CURRENT_LIST_DIR}/write_launcher.sh <TARGET> ${CORDAGE_EMULATOR}")
  endforeach()
endif()
