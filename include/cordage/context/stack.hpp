// Stacks for fibers and coroutines: taken from slabs, guarded below, coloured, and recycled per thread.
//
// Any thread; a stack may be given back on another thread than it was taken on. Pages are committed only when they are
// touched. Below each stack lies a guard page, so that an overflow faults instead of writing into a neighbour.
//
// Colours: stacks at one stride would put their hot top lines into the same cache sets. The stride is an odd number
// of pages and the top of stack i is lowered by 64 * (i mod 48) bytes; bench/stackful_bench measures what that saves.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <cordage/base/config.hpp>
#include <cordage/base/kept_list.hpp>
#include <cordage/base/short_name.hpp>
#include <cordage/stack_options.hpp>

namespace cordage::detail {

class stackful;
struct slab;

// What is known of one stack. It lies in the stack's topmost cache line, so that whoever finds a stack, a debugger or
// the handler of a fault, finds this too. What runs on the stack begins right below.
struct alignas(64) stack {
  stack* next;         // in the list of free ones that it is in
  stackful* occupant;  // null while it is free
  short_name name;     // of the occupant, if that says that it has one
  std::uint8_t size_class;
  std::uint8_t kept_in;  // its size class, if threads may keep it; without a guard they do not
  std::byte* low;  // the lowest usable byte, just above the guard
  slab* owner;

  std::byte* top() noexcept { return reinterpret_cast<std::byte*>(this); }
  std::size_t size() noexcept { return static_cast<std::size_t>(top() - low); }
  // What was asked for, rounded up.
  std::size_t nominal_size() const noexcept;
};

class stack_pool {
 public:
  static constexpr std::size_t smallest_size = 16 * 1024;
  static constexpr std::uint32_t size_classes = 17;  // powers of two
  static constexpr std::uint8_t never_kept = size_classes;
  static constexpr std::size_t largest_size = smallest_size << (size_classes - 1);  // 1 GiB

  // A stack of at least `size` bytes less one page of colouring and control data, rounded up to a power of two. Throws
  // std::system_error with what to do about it when the system gives no more memory, or no more mappings for guards and
  // the stack may not go without.
  static stack& take(std::size_t size, bool may_be_unguarded);

  // The stack must not be in use. The thread keeps it with its pages, so that the next user finds them warm, up to 64
  // MiB of address space of each size and 4 of the largest; the pages of what exceeds that go back to the system.
  static void give_back(stack& taken) noexcept;

  static constexpr std::uint32_t class_of(std::size_t size) noexcept {
    const std::size_t rounded = std::bit_ceil(size < smallest_size ? smallest_size : size);
    return static_cast<std::uint32_t>(std::countr_zero(rounded) - std::countr_zero(smallest_size));
  }

 private:
  // The free ones of one size. The one that came last has a place of its own, where its address stays when it is taken. Who
  // makes one coroutine after the other takes and gives back the same one: that writes one byte each time, and nobody waits for
  // what the last user has written.
  struct kept_stacks {
    stack* newest;
    bool has_newest;  // else it is in use, or with another thread, and only the address is known
    kept_list<stack> others;
  };
  struct cache {
    kept_stacks of_class[size_classes];
    keeping state;
  };
  friend struct stack_cleanup;

  CORDAGE_RARELY_THROWS static stack& take_slowly(std::size_t size, bool may_be_unguarded);
  CORDAGE_RARELY_CALLED static void give_back_slowly(stack& taken) noexcept;
  static bool keeps_stacks() noexcept;

  // Without a constructor or destructor of its own, so that an access needs no check whether it is initialized.
  static constinit inline thread_local cache mine{};
};

// How much of the stack has been touched, in bytes from its top, rounded up to pages. Pages that an earlier user of the
// recycled stack has touched count, too.
std::size_t touched_bytes(stack& of) noexcept;

// Makes this thread's overflows of stacks end the program with a message: `fiber "NAME" overflowed its 64 KiB stack`.
// Once per thread, before it first runs on one.
void prepare_thread_for_overflows() noexcept;

inline std::size_t stack::nominal_size() const noexcept { return stack_pool::smallest_size << size_class; }

inline stack& stack_pool::take(std::size_t size, bool may_be_unguarded) {
  if (size <= largest_size) [[likely]] {
    kept_stacks& kept = mine.of_class[class_of(size)];
    if (kept.has_newest) [[likely]] {
      kept.has_newest = false;
      return *kept.newest;
    }
  }
  return take_slowly(size, may_be_unguarded);
}

inline void stack_pool::give_back(stack& taken) noexcept {
  taken.occupant = nullptr;
  // Where those of the usual size are kept is known without a look at the stack.
  kept_stacks& kept = mine.of_class[class_of(stack_options{}.stack_size)];
  if (&taken != kept.newest) [[unlikely]] return give_back_slowly(taken);
  kept.has_newest = true;
}

}  // namespace cordage::detail
