// Built without valgrind's header: nobody to tell.
#pragma once

#include <cstddef>

namespace cordage::detail {

constexpr bool under_valgrind() noexcept { return false; }
inline void announce_stack_to_valgrind(void*, std::size_t) noexcept {}
inline void renew_stack_for_valgrind(void*, std::size_t) noexcept {}

}  // namespace cordage::detail
