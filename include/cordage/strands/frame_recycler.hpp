// Memory for coroutine frames and strand blocks: freed blocks are kept per thread, by size, and handed out again.
//
// Any thread. A block may be freed on another thread than it was taken on; it then joins that thread's list. In steady
// state nothing reaches the general allocator. Each list is capped; what exceeds it goes back, in batches, to where the
// lists are filled from (src/strands/frame_depot.hpp). Under a sanitizer every block is really freed, so that uses after
// free are seen. Blocks begin at cache lines: what a strand touches in each of its turns then lies in as few of them as
// possible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <cordage/base/config.hpp>
#include <cordage/base/kept_list.hpp>
#include <cordage/frames.hpp>

namespace cordage::detail {

struct free_block {
  free_block* next;
};

class frame_recycler {
 public:
  static constexpr std::size_t step = frame_size_step;
  static constexpr std::size_t largest = largest_recycled_frame;

  // Null when memory is exhausted.
  static void* allocate(std::size_t size) noexcept;
  static void deallocate(void* block, std::size_t size) noexcept;

  // Bytes in the lists of this thread.
  static std::size_t kept() noexcept;

 private:
  static constexpr std::size_t classes = largest / step;
  static constexpr std::uint32_t blocks_kept = 1024;  // per class and thread: 2 MiB of the largest

  struct cache {
    kept_list<free_block> lists[classes];
    keeping state;
  };
  friend struct cache_cleanup;

  // 1 to 64 bytes: class 0, and so on.
  static constexpr std::size_t class_of(std::size_t size) noexcept { return (size - 1) / step; }

  CORDAGE_RARELY_CALLED static void* allocate_slowly(std::size_t size) noexcept;
  CORDAGE_RARELY_CALLED static void deallocate_slowly(void* block, std::size_t size) noexcept;
  static bool keeps_blocks() noexcept;

  // Without a constructor or destructor of its own, so that an access needs no check whether it is initialized.
  static constinit inline thread_local cache mine{};
};

// Sizes above the largest class belong to no list.
inline void* frame_recycler::allocate(std::size_t size) noexcept {
  if (!config::sanitized && size <= largest) [[likely]] {
    if (free_block* const block = mine.lists[class_of(size)].take(); block != nullptr) [[likely]] return block;
  }
  return allocate_slowly(size);
}

inline void frame_recycler::deallocate(void* block, std::size_t size) noexcept {
  if (!config::sanitized && size <= largest) [[likely]] {
    if (mine.lists[class_of(size)].keep(*::new (block) free_block)) [[likely]] return;
  }
  deallocate_slowly(block, size);
}

}  // namespace cordage::detail
