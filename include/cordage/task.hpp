// task<T> and async<T>: the stackless strands.
//
//   task<int> answer() { co_await yield_now(); co_return 42; }
//
// Lazy: calling one runs nothing, co_await starts it. Move-only, awaited once. The frame belongs to the task object,
// and to the awaiting expression once awaited; it is destroyed when that expression ends. Awaiting never grows the
// stack. Arguments are kept in the frame as they are declared: a reference parameter has to outlive the task. Frames come
// from memory that is recycled per thread, or from an allocator among the arguments, behind std::allocator_arg.
//
// One thread at a time; the body runs on the strand that awaits it and resumes on that strand's executor.
#pragma once

#include <cstddef>
#include <exception>
#include <utility>

#include <cordage/base/fatal.hpp>
#include <cordage/strands/frame_memory.hpp>
#include <cordage/strands/task_promise.hpp>

namespace cordage {

template <class T>
class task;
template <class T>
class async;

namespace detail {

// What task and async share: the ownership of a frame that has not been awaited.
template <class Promise>
class frame_owner {
 public:
  frame_owner() noexcept = default;
  explicit frame_owner(std::coroutine_handle<Promise> frame) noexcept : frame_(frame) {}
  frame_owner(frame_owner&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  frame_owner& operator=(frame_owner&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~frame_owner() {
    if (frame_) frame_.destroy();
  }

  std::coroutine_handle<Promise> take() noexcept { return std::exchange(frame_, {}); }
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

 private:
  std::coroutine_handle<Promise> frame_;
};

}  // namespace detail

// Its value may be anything, also nothing, a reference or a result. An exception that leaves the body is stored and
// thrown at the co_await, also when T is a result.
template <class T = void>
class [[nodiscard]] CORDAGE_COROUTINE_TYPE task {
 public:
  class promise_type;

  task(task&&) noexcept = default;
  task& operator=(task&&) noexcept = default;

  // False once it was moved from or awaited.
  bool valid() const noexcept { return static_cast<bool>(frame_); }

  // For the library: the frame leaves the object. Awaiting a task that has no frame is a broken promise.
  std::coroutine_handle<> release_frame() noexcept {
    detail::expects(valid(), "a task was awaited that had been moved from or awaited before");
    return frame_.take();
  }
  auto as_operation() && noexcept { return detail::task_operation<promise_type>(release_frame()); }
  auto as_operation() & noexcept { return std::move(*this).as_operation(); }

 private:
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  detail::frame_owner<promise_type> frame_;
};

template <class T>
class task<T>::promise_type : public detail::task_promise<T>, public detail::recycled_frame {
 public:
  task get_return_object() noexcept { return task(std::coroutine_handle<promise_type>::from_promise(*this)); }
  void unhandled_exception() noexcept {
    this->value.set_state(detail::outcome_state::exception);
    this->keep_current_exception();
  }
};

// Its value is a result<T>, and it never throws: an exception that leaves the body ends the program with a message,
// and a frame that cannot be allocated is the error errc::out_of_memory. The body ends in `co_return value` or
// `co_return unexpected{e}`; `co_return {}` is for async<> only.
template <class T = void>
class [[nodiscard]] CORDAGE_COROUTINE_TYPE async {
 public:
  class promise_type;

  async(async&&) noexcept = default;
  async& operator=(async&&) noexcept = default;

  bool valid() const noexcept { return frame_ || failed_; }

  // For the library; null where there was no memory for the frame.
  std::coroutine_handle<> release_frame() noexcept {
    detail::expects(valid(), "an async was awaited that had been moved from or awaited before");
    failed_ = false;
    return frame_.take();
  }
  auto as_operation() && noexcept { return detail::task_operation<promise_type>(release_frame()); }
  auto as_operation() & noexcept { return std::move(*this).as_operation(); }

 private:
  async() noexcept : failed_(true) {}
  explicit async(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  detail::frame_owner<promise_type> frame_;
  bool failed_ = false;  // there was no memory for the frame
};

template <class T>
class async<T>::promise_type : public detail::task_promise_base<result<T>>, public detail::recycled_frame_or_null {
 public:
  async get_return_object() noexcept { return async(std::coroutine_handle<promise_type>::from_promise(*this)); }
  static async get_return_object_on_allocation_failure() noexcept { return async(); }

  // Without a default for U: `co_return {}` would be a value nobody meant.
  template <class U>
    requires(!std::is_void_v<T> && std::is_convertible_v<U &&, result<T>>)
  void return_value(U&& given) noexcept {
    this->value.set_value(std::forward<U>(given));
  }
  void return_value(result<T> given) noexcept
    requires std::is_void_v<T>
  {
    this->value.set_value(std::move(given));
  }

  void unhandled_exception() noexcept {
    detail::fatal("an exception left the body of an async, which promises not to throw; use task, or catch it");
  }
};

}  // namespace cordage

template <class T, class Allocator, class... Args>
struct std::coroutine_traits<cordage::task<T>, std::allocator_arg_t, Allocator, Args...>
    : cordage::detail::traits_with_allocator<typename cordage::task<T>::promise_type, Allocator> {};
template <class T, class This, class Allocator, class... Args>
struct std::coroutine_traits<cordage::task<T>, This, std::allocator_arg_t, Allocator, Args...>
    : cordage::detail::traits_with_allocator<typename cordage::task<T>::promise_type, Allocator> {};
template <class T, class Allocator, class... Args>
struct std::coroutine_traits<cordage::async<T>, std::allocator_arg_t, Allocator, Args...>
    : cordage::detail::traits_with_allocator<typename cordage::async<T>::promise_type, Allocator> {};
template <class T, class This, class Allocator, class... Args>
struct std::coroutine_traits<cordage::async<T>, This, std::allocator_arg_t, Allocator, Args...>
    : cordage::detail::traits_with_allocator<typename cordage::async<T>::promise_type, Allocator> {};
