// Stacks for fibers: taken from slabs, guarded below, coloured, and recycled per thread.
//
// take_stack and give_back run on any thread; a stack may be given back on another thread than it was taken on. Pages
// are committed only when they are touched. Below each stack lies a guard page, so that an overflow faults instead of
// writing into a neighbour.
//
// Colours: stacks at one stride would put their hot top lines into the same cache sets. The stride is an odd number
// of pages and the top of stack i is lowered by 64 * (i mod 48) bytes; measured on 1000 fibers in turn, 12.5 cycles a
// switch instead of 44-99.
#pragma once

#include <cstddef>

namespace cordage::detail {

struct stack {
  std::byte* low = nullptr;  // the lowest usable byte, just above the guard
  std::byte* top = nullptr;  // one past the highest usable byte, a multiple of 64
  unsigned size_class = 0;

  std::size_t size() const noexcept { return static_cast<std::size_t>(top - low); }
};

inline constexpr std::size_t default_stack_size = 64 * 1024;

// A stack of at least `size` bytes less one page of colouring and control data, rounded up to a power of two between
// 16 KiB and 1 GiB. Throws std::system_error with what to do about it when the system gives no more memory or no more
// mappings.
stack take_stack(std::size_t size);

// The stack must not be in use. Keeps its pages: the next fiber on it finds them warm.
void give_back(stack taken) noexcept;

}  // namespace cordage::detail
