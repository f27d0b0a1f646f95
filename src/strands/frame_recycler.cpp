#include <algorithm>
#include <new>

#include <cordage/strands/frame_recycler.hpp>

#include "frame_depot.hpp"

namespace cordage::detail {

// Gives the kept blocks back when the thread ends. From then on it keeps none.
struct cache_cleanup {
  ~cache_cleanup() {
    frame_recycler::mine.state = keeping::ended;
    for (auto& each : frame_recycler::mine.lists) frame_depot::give_back(each.close());
  }
  void touch() noexcept {}
};

// Whether this thread keeps blocks: from the first that it asks for until its end.
bool frame_recycler::keeps_blocks() noexcept {
  if (mine.state == keeping::not_begun) {
    static thread_local cache_cleanup at_thread_end;
    at_thread_end.touch();
    mine.state = keeping::begun;
    for (auto& each : mine.lists) each.room = blocks_kept;
  }
  return mine.state == keeping::begun;
}

void* frame_recycler::allocate_slowly(std::size_t size) noexcept {
  if (config::sanitized || size > largest) return ::operator new(size, std::align_val_t{step}, std::nothrow);
  const std::size_t rounded = (class_of(size) + 1) * step;
  if (!keeps_blocks()) return frame_depot::take(rounded, 1);

  const std::size_t batch = std::max(largest * 2 / rounded, std::size_t{2});
  free_block* const taken = frame_depot::take(rounded, batch);
  if (taken == nullptr) return nullptr;
  mine.lists[class_of(size)].fill(taken->next);
  return taken;
}

std::size_t frame_recycler::kept() noexcept {
  if (mine.state != keeping::begun) return 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < classes; ++i) bytes += (blocks_kept - mine.lists[i].room) * (i + 1) * step;
  return bytes;
}

// Half of a list that is full goes back, the half that was used less recently.
void frame_recycler::deallocate_slowly(void* block, std::size_t size) noexcept {
  if (config::sanitized || size > largest) return ::operator delete(block, std::align_val_t{step});
  if (!keeps_blocks()) return frame_depot::give_back(::new (block) free_block{nullptr});

  kept_list<free_block>& kept = mine.lists[class_of(size)];
  if (kept.room == 0) frame_depot::give_back(kept.give_up_half());
  kept.keep(*::new (block) free_block);
}

}  // namespace cordage::detail

namespace cordage {

frame_statistics current_frame_statistics() noexcept {
  const detail::frame_depot::holdings held = detail::frame_depot::held();
  return {held.reserved, held.lent, detail::frame_recycler::kept()};
}

}  // namespace cordage
