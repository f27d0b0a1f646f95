// Memory for tests of allocators: taken from a buffer, one piece after the other, and given back all at once.
// Not <memory_resource>, which not every libc++ has.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace support {

class arena {
 public:
  explicit arena(std::span<std::byte> buffer) noexcept : left_(buffer) {}

  void* take(std::size_t size, std::size_t alignment) {
    void* at = left_.data();
    std::size_t room = left_.size();
    if (std::align(alignment, size, at, room) == nullptr) throw std::bad_alloc();
    left_ = left_.last(room - size);
    return at;
  }

 private:
  std::span<std::byte> left_;
};

template <class T>
class arena_allocator {
 public:
  using value_type = T;

  arena_allocator(arena& from) noexcept : from_(&from) {}
  template <class U>
  arena_allocator(const arena_allocator<U>& other) noexcept : from_(other.from_) {}

  T* allocate(std::size_t count) { return static_cast<T*>(from_->take(count * sizeof(T), alignof(T))); }
  void deallocate(T*, std::size_t) noexcept {}
  template <class U>
  bool operator==(const arena_allocator<U>& other) const noexcept {
    return from_ == other.from_;
  }

 private:
  template <class U>
  friend class arena_allocator;
  arena* from_;
};

}  // namespace support
