#include <algorithm>
#include <new>
#include <utility>

#include <cordage/strands/frame_recycler.hpp>

#include "frame_depot.hpp"

namespace cordage::detail {

constinit thread_local frame_recycler::cache frame_recycler::mine{};

// Gives the kept blocks back when the thread ends. From then on it keeps none.
struct cache_cleanup {
  ~cache_cleanup() {
    frame_recycler::mine.state = frame_recycler::lifetime::ended;
    for (frame_recycler::list& each : frame_recycler::mine.lists) {
      frame_depot::give_back(std::exchange(each.first, nullptr));
      each.room = 0;
    }
  }
  void touch() noexcept {}
};

// Whether this thread keeps blocks: from the first that it asks for until its end.
bool frame_recycler::has_lists() noexcept {
  if (mine.state == lifetime::not_begun) {
    static thread_local cache_cleanup at_thread_end;
    at_thread_end.touch();
    mine.state = lifetime::begun;
    for (list& each : mine.lists) each.room = blocks_kept;
  }
  return mine.state == lifetime::begun;
}

void* frame_recycler::allocate_slowly(std::size_t size) noexcept {
  if (config::sanitized || size > largest) return ::operator new(size, std::align_val_t{step}, std::nothrow);
  const std::size_t rounded = (class_of(size) + 1) * step;
  if (!has_lists()) return frame_depot::take(rounded, 1);

  const std::size_t batch = std::max(largest * 2 / rounded, std::size_t{2});
  free_block* const taken = frame_depot::take(rounded, batch);
  if (taken == nullptr) return nullptr;
  list& to = mine.lists[class_of(size)];
  to.first = taken->next;
  for (const free_block* each = to.first; each != nullptr; each = each->next) --to.room;
  return taken;
}

// Half of a list that is full goes back, the half that was used less recently.
void frame_recycler::deallocate_slowly(void* block, std::size_t size) noexcept {
  if (config::sanitized || size > largest) return ::operator delete(block, std::align_val_t{step});
  if (!has_lists()) return frame_depot::give_back(::new (block) free_block{nullptr});

  list& from = mine.lists[class_of(size)];
  if (from.room == 0) {
    free_block* last_kept = from.first;
    for (std::uint32_t kept = 1; kept < blocks_kept / 2; ++kept) last_kept = last_kept->next;
    frame_depot::give_back(std::exchange(last_kept->next, nullptr));
    from.room = blocks_kept / 2;
  }
  deallocate(block, size);
}

}  // namespace cordage::detail
