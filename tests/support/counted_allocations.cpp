#include "counted_allocations.hpp"

#include <cstdlib>
#include <new>

namespace counted_allocations {

constinit thread_local std::uint64_t made = 0;
constinit thread_local std::int64_t live = 0;

namespace {

void* count(void* block) noexcept {
  if (block != nullptr) ++made, ++live;
  return block;
}

void release(void* block) noexcept {
  if (block != nullptr) --live;
  std::free(block);
}

}  // namespace
}  // namespace counted_allocations

using counted_allocations::count;
using counted_allocations::release;

// Weak, since a sanitizer brings its own.
[[gnu::weak]] void* operator new(std::size_t size) {
  if (void* const block = count(std::malloc(size))) return block;
  throw std::bad_alloc();
}
[[gnu::weak]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return count(std::malloc(size)); }
[[gnu::weak]] void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  const auto step = static_cast<std::size_t>(alignment);
  return count(std::aligned_alloc(step, (size + step - 1) / step * step));
}
[[gnu::weak]] void operator delete(void* block, std::align_val_t) noexcept { release(block); }
[[gnu::weak]] void operator delete(void* block) noexcept { release(block); }
[[gnu::weak]] void operator delete(void* block, std::size_t) noexcept { release(block); }
