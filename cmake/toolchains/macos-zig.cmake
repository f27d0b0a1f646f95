# macOS from another machine: compiled and linked against the SDK that zig comes with, and run nowhere. The environment
# variable CORDAGE_ZIG names the folder of zig 0.11, which tools/fetch_zig.sh fetches.
#
#   CORDAGE_MACOS_PROCESSOR   aarch64 or x86_64
#   CORDAGE_SYSROOT           stubs of the libraries that Homebrew has; tools/macos_stubs.sh writes them
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CORDAGE_MACOS_PROCESSOR CORDAGE_SYSROOT)
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR ${CORDAGE_MACOS_PROCESSOR})
set(CMAKE_C_COMPILER ${CMAKE_CURRENT_LIST_DIR}/zig/cc)
set(CMAKE_CXX_COMPILER ${CMAKE_CURRENT_LIST_DIR}/zig/c++)
set(CMAKE_ASM_COMPILER ${CMAKE_CURRENT_LIST_DIR}/zig/cc)
foreach(language IN ITEMS C CXX ASM)
  set(CMAKE_${language}_COMPILER_TARGET ${CORDAGE_MACOS_PROCESSOR}-macos)
  # CMake's own question for these facts has a flag of Apple's linker in it that zig does not know.
  set(CMAKE_${language}_ABI_COMPILED TRUE)
  set(CMAKE_${language}_SIZEOF_DATA_PTR 8)
endforeach()
set(CMAKE_AR ${CMAKE_CURRENT_LIST_DIR}/zig/ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${CMAKE_CURRENT_LIST_DIR}/zig/ranlib CACHE FILEPATH "")

set(CMAKE_FIND_ROOT_PATH ${CORDAGE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind IN ITEMS LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
