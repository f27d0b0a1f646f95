// How much stack a fiber or a coroutine gets, and under what name.
#pragma once

#include <cstddef>
#include <string_view>

namespace cordage {

// Any thread. Trivially destructible, so that GCC 12 handles temporaries of it.
struct stack_options {
  std::string_view name = {};           // copied, at most 29 bytes; seen in messages and debuggers
  std::size_t stack_size = 64 * 1024;   // bytes; rounded up to a power of two, 16 KiB to 1 GiB
  bool allow_unguarded = false;         // go without a guard page where the system has no more mappings
};

}  // namespace cordage
