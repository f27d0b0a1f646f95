// Where coroutine frames lie: in memory that is recycled, or where an allocator says that stands among the coroutine's
// arguments behind std::allocator_arg, as std::generator has it:
//
//   task<> f(std::allocator_arg_t, my_allocator, int x);        // also as a member, or a lambda
//
// Recycled frames begin at cache lines, those of an allocator where operator new may give memory: parameters and what lives
// across a wait must not be aligned more strictly than that. The value that a coroutine gives may be.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

#include <cordage/base/exceptions.hpp>
#include <cordage/strands/frame_recycler.hpp>

namespace cordage::detail {

// Bases of promises. Each has its operator delete beside its operator new, or GCC takes them for a mismatch in unoptimized
// builds.
struct recycled_frame {
  static void* operator new(std::size_t size) {
    void* const frame = frame_recycler::allocate(size);
    if (frame == nullptr) [[unlikely]] throw_exception<std::bad_alloc>("no memory for a coroutine's frame");
    return frame;
  }
  static void operator delete(void* frame, std::size_t size) noexcept { frame_recycler::deallocate(frame, size); }
};

// For coroutines that make a value of the lack of memory.
struct recycled_frame_or_null {
  static void* operator new(std::size_t size) noexcept { return frame_recycler::allocate(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { frame_recycler::deallocate(frame, size); }
};

// A promise whose frame an allocator gives, a copy of which is kept behind the frame. The library knows the promise as
// Promise, which lies where this lies.
template <class Promise, class Allocator>
class with_allocator : public Promise {
  struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) unit {
    std::byte bytes[__STDCPP_DEFAULT_NEW_ALIGNMENT__];
  };
  using allocator = typename std::allocator_traits<Allocator>::template rebind_alloc<unit>;
  static constexpr bool may_be_null = std::is_base_of_v<recycled_frame_or_null, Promise>;

 public:
  // Twice, since clang does not look into a noexcept(…) that depends on the template: it asks for a plain one where there
  // may be no memory.
  template <class... Args>
    requires(!may_be_null)
  static void* operator new(std::size_t size, std::allocator_arg_t, const Allocator& by, const Args&...) {
    return allocate(size, by);
  }
  template <class... Args>
    requires may_be_null
  static void* operator new(std::size_t size, std::allocator_arg_t, const Allocator& by, const Args&...) noexcept {
    return allocate(size, by);
  }
  template <class This, class... Args>
    requires(!may_be_null)
  static void* operator new(std::size_t size, const This&, std::allocator_arg_t, const Allocator& by, const Args&...) {
    return allocate(size, by);
  }
  template <class This, class... Args>
    requires may_be_null
  static void* operator new(std::size_t size, const This&, std::allocator_arg_t, const Allocator& by, const Args&...) noexcept {
    return allocate(size, by);
  }
  static void operator delete(void* frame, std::size_t size) noexcept {
    allocator& kept = *allocator_of(frame, size);
    allocator by(std::move(kept));
    std::destroy_at(&kept);
    by.deallocate(static_cast<unit*>(frame), units(size));
  }

 private:
  static void* allocate(std::size_t size, const Allocator& given) noexcept(may_be_null) {
    void* frame = nullptr;
    const auto ask = [&] {
      allocator by(given);
      frame = by.allocate(units(size));
      std::construct_at(allocator_of(frame, size), std::move(by));
    };
    if constexpr (may_be_null) {
      catching(ask, [](const std::exception_ptr&) {});
    } else {
      ask();
    }
    return frame;
  }
  static constexpr std::size_t place_of_allocator(std::size_t size) noexcept {
    return (size + alignof(allocator) - 1) / alignof(allocator) * alignof(allocator);
  }
  static allocator* allocator_of(void* frame, std::size_t size) noexcept {
    return reinterpret_cast<allocator*>(static_cast<std::byte*>(frame) + place_of_allocator(size));
  }
  static constexpr std::size_t units(std::size_t size) noexcept {
    return (place_of_allocator(size) + sizeof(allocator) + sizeof(unit) - 1) / sizeof(unit);
  }
};

// What std::coroutine_traits says of a coroutine that takes an allocator.
template <class Promise, class Allocator>
struct traits_with_allocator {
  using promise_type = with_allocator<Promise, std::remove_cvref_t<Allocator>>;
  static_assert(sizeof(promise_type) == sizeof(Promise) && alignof(promise_type) == alignof(Promise));
};

}  // namespace cordage::detail
