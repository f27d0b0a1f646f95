// Tells valgrind where stacks are, or it takes every switch for a huge change of the stack pointer.
#pragma once

#include <valgrind/valgrind.h>

#include <cstddef>

namespace cordage::detail {

// For the life of the process: stacks are recycled, never unmapped.
inline void announce_stack_to_valgrind(void* low, std::size_t size) noexcept {
  [[maybe_unused]] const auto id = VALGRIND_STACK_REGISTER(low, static_cast<char*>(low) + size);
}

}  // namespace cordage::detail
