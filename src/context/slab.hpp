// A slab: a mapping that holds stacks of one size side by side, each with its guard page below.
//
// All slabs are in one list, which only grows: a signal handler and a debugger walk it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <cordage/base/atomic.hpp>
#include <cordage/context/stack.hpp>

namespace cordage::detail {

struct slab {
  slab* older = nullptr;           // in the list of all
  slab* next_with_cold = nullptr;  // in the depot's list of those that have stacks to give
  std::byte* base = nullptr;
  std::size_t stride = 0;  // a guard page and a stack, in whole pages
  std::size_t page = 0;
  std::uint32_t count = 0;
  std::uint32_t size_class = 0;
  bool guarded = false;
  std::vector<std::uint32_t> cold;  // the stacks without pages, by number; the depot's

  // The head of the list. Written by whoever maps a slab, one at a time under the depot's mutex; so a relaxed load finds
  // the one before. The release publishes the slab; partner of the acquire in of().
  static atomic<slab*> newest;

  // Colours, see context/stack.hpp.
  static constexpr std::size_t colours = 48;
  static constexpr std::size_t colour_step = 64;

  static constexpr std::size_t stride_for(std::size_t stack_size, std::size_t page) noexcept {
    return std::max(stack_size, page) + page;
  }
  std::byte* low_of(std::size_t index) const noexcept { return base + index * stride + page; }
  std::byte* end_of(std::size_t index) const noexcept { return base + (index + 1) * stride; }
  // Where its stack i is described; it may never have been taken, and then there are only zeros.
  stack* stack_at(std::size_t index) const noexcept {
    return reinterpret_cast<stack*>(end_of(index) - colour_step * (index % colours) - sizeof(stack));
  }
  std::size_t usable(std::size_t index) const noexcept {
    return static_cast<std::size_t>(reinterpret_cast<std::byte*>(stack_at(index)) - low_of(index));
  }
  std::uint32_t index_of(const std::byte* within) const noexcept {
    return static_cast<std::uint32_t>(static_cast<std::size_t>(within - base) / stride);
  }

  slab& publish() noexcept {
    older = newest.load(memory_order_relaxed);
    newest.store(this, memory_order_release);
    return *this;
  }

  // The slab that an address lies in, or null. Safe in a signal handler.
  static slab* of(const std::byte* address) noexcept {
    for (slab* each = newest.load(memory_order_acquire); each != nullptr; each = each->older) {
      if (address >= each->base && address < each->base + each->stride * each->count) return each;
    }
    return nullptr;
  }
};

}  // namespace cordage::detail
