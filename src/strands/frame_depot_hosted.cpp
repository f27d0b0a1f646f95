#include <cstdint>
#include <mutex>
#include <new>

#include <cordage/base/intrusive_list.hpp>

#include "frame_depot.hpp"

namespace cordage::detail {
namespace {

constexpr std::size_t span_size = std::size_t{32} * 1024;
constexpr std::size_t step = frame_recycler::step;

// Its head, in the first line of a span; the blocks follow. A span's blocks are those on loan to the threads, those that
// came back, and at its end those that have never been used and so cost no memory yet.
struct alignas(step) span : list_hook<span> {
  explicit span(std::size_t size) noexcept : block_size(static_cast<std::uint32_t>(size)) {}

  bool has_blocks() const noexcept { return returned != nullptr || cut + block_size <= span_size; }

  free_block* take_one() noexcept {
    ++on_loan;
    if (returned != nullptr) {
      free_block* const block = returned;
      returned = block->next;
      return block;
    }
    auto* const block = reinterpret_cast<std::byte*>(this) + cut;
    cut += block_size;
    return reinterpret_cast<free_block*>(block);
  }

  void put_back(free_block* block) noexcept {
    --on_loan;
    block->next = returned;
    returned = block;
  }

  free_block* returned = nullptr;
  std::uint32_t block_size;
  std::uint32_t cut = step;  // where the blocks begin that have never been used
  std::uint32_t on_loan = 0;
};

span& span_of(free_block* block) noexcept {
  return *reinterpret_cast<span*>(reinterpret_cast<std::uintptr_t>(block) & ~(span_size - 1));
}

struct depot {
  std::mutex mutex;
  intrusive_list<span> with_blocks[frame_recycler::largest / step];
  frame_depot::holdings held;

  intrusive_list<span>& list_of(std::size_t size) noexcept { return with_blocks[size / step - 1]; }
};

depot& the_depot() noexcept {
  // Outlives every thread, so it is never destroyed.
  alignas(depot) static std::byte memory[sizeof(depot)];
  static depot* const made = ::new (memory) depot;
  return *made;
}

span* make_span(std::size_t block_size) noexcept {
  void* const memory = ::operator new(span_size, std::align_val_t{span_size}, std::nothrow);
  return memory == nullptr ? nullptr : ::new (memory) span(block_size);
}

void release(span& empty) noexcept {
  empty.unlink();
  empty.~span();
  ::operator delete(&empty, std::align_val_t{span_size});
}

}  // namespace

free_block* frame_depot::take(std::size_t size, std::size_t most) noexcept {
  depot& from = the_depot();
  const std::lock_guard lock(from.mutex);
  intrusive_list<span>& spans = from.list_of(size);
  free_block* chain = nullptr;
  free_block** last = &chain;
  for (std::size_t taken = 0; taken < most;) {
    if (spans.empty()) {
      span* const fresh = make_span(size);
      if (fresh == nullptr) break;
      from.held.reserved += span_size;
      spans.push_back(*fresh);
    }
    span& source = spans.front();
    while (taken < most && source.has_blocks()) {
      *last = source.take_one();
      last = &(*last)->next;
      ++taken;
      from.held.lent += size;
    }
    if (!source.has_blocks()) source.unlink();
  }
  *last = nullptr;
  return chain;
}

void frame_depot::give_back(free_block* chain) noexcept {
  depot& to = the_depot();
  const std::lock_guard lock(to.mutex);
  while (chain != nullptr) {
    free_block* const block = chain;
    chain = block->next;
    span& owner = span_of(block);
    intrusive_list<span>& spans = to.list_of(owner.block_size);
    owner.put_back(block);
    to.held.lent -= owner.block_size;
    if (!owner.linked()) spans.push_back(owner);
    if (owner.on_loan == 0 && &owner != &spans.front()) {
      release(owner);
      to.held.reserved -= span_size;
    }
  }
}

frame_depot::holdings frame_depot::held() noexcept {
  depot& of = the_depot();
  const std::lock_guard lock(of.mutex);
  return of.held;
}

}  // namespace cordage::detail
