# What find_package(cordage) reads from an installed cordage.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/cordageTargets.cmake)
