// Tells valgrind where stacks are, or it takes every switch for a huge change of the stack pointer.
#pragma once

#include <valgrind/memcheck.h>

#include <cstddef>

namespace cordage::detail {

inline bool under_valgrind() noexcept { return RUNNING_ON_VALGRIND != 0; }

// Where valgrind does not know the machine, these do nothing and use nothing.

// For the life of the process: stacks are recycled, never unmapped.
inline void announce_stack_to_valgrind([[maybe_unused]] void* low, [[maybe_unused]] std::size_t size) noexcept {
  [[maybe_unused]] const auto id = VALGRIND_STACK_REGISTER(low, static_cast<char*>(low) + size);
}

// A stack has a new occupant. Where frames of the last one were, valgrind would allow nobody to write.
inline void renew_stack_for_valgrind([[maybe_unused]] void* low, [[maybe_unused]] std::size_t size) noexcept {
  (void)VALGRIND_MAKE_MEM_UNDEFINED(low, size);
}

}  // namespace cordage::detail
