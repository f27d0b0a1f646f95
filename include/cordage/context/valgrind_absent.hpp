// Built without valgrind's header: nobody to tell.
#pragma once

#include <cstddef>

namespace cordage::detail {

inline void announce_stack_to_valgrind(void*, std::size_t) noexcept {}

}  // namespace cordage::detail
