// What the Itanium C++ ABI keeps of each thread's exceptions.
//
// Source: Itanium C++ ABI, section 2.2.2: __cxa_eh_globals begins with the stack of caught exceptions and the count
// of uncaught ones; __cxa_get_globals gives the thread's.
#pragma once

#include <cxxabi.h>

#include <cstdint>

// libstdc++ declares it in cxxabi.h; libc++abi only has it.
namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;
}  // namespace __cxxabiv1

namespace cordage::detail {

struct exception_globals {
  void* caught;
  // The ABI's is an unsigned int, and on 64-bit machines zeros up to the end of the word.
  std::uintptr_t uncaught;

  static exception_globals& of_this_thread() noexcept {
    return *reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
  }
};

}  // namespace cordage::detail
