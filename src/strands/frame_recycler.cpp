#include <new>

#include <cordage/strands/frame_recycler.hpp>

namespace cordage::detail {

constinit thread_local frame_recycler::cache frame_recycler::mine{};

// Gives the kept blocks back when the thread ends. Blocks freed still later are really freed, since no list has room.
struct cache_cleanup {
  ~cache_cleanup() {
    for (std::size_t c = 0; c < frame_recycler::classes; ++c) {
      frame_recycler::list& kept = frame_recycler::mine.lists[c];
      while (kept.first != nullptr) {
        frame_recycler::block_header* const block = kept.first;
        kept.first = block->next;
        frame_recycler::really_free(block);
      }
      kept.room = 0;
    }
  }
  void touch() noexcept {}
};

void frame_recycler::set_up() noexcept {
  static thread_local cache_cleanup at_thread_end;
  at_thread_end.touch();
  mine.set_up = true;
  for (list& each : mine.lists) each.room = blocks_kept;
}

void* frame_recycler::allocate_slowly(std::size_t size) noexcept {
  const std::size_t rounded = config::sanitized || size > largest ? size : (class_of(size) + 1) * step;
  return ::operator new(rounded, std::align_val_t{step}, std::nothrow);
}

void frame_recycler::deallocate_slowly(void* block, std::size_t size) noexcept {
  if (!config::sanitized && size <= largest && !mine.set_up) {
    set_up();
    deallocate(block, size);
    return;
  }
  really_free(block);
}

void frame_recycler::really_free(void* block) noexcept {
  ::operator delete(block, std::align_val_t{step});
}

}  // namespace cordage::detail
