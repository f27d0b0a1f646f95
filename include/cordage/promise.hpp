// promise<T> and future<T>: one value that somebody else provides: the loop, another thread, a callback of a C library.
//
//   promise<int> asked;
//   future<int> answer = asked.get_future();
//   std::thread provider([p = std::move(asked)]() mutable { p.set_value(42); });
//   const result<int> value = co_await answer;               // in a fiber: await(answer)
//
// The two ends may be on any threads, each used by one at a time. Neither blocks. The value, which is no reference,
// lives in memory that both share.
#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include <cordage/base/atomic.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/completion.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/frame_memory.hpp>
#include <cordage/strands/outcome.hpp>

namespace cordage {

template <class T>
class future;

namespace detail {

template <class T>
class future_state : public recycled_frame {
 public:
  // Once, by the promise.
  template <class Set>
  void complete(Set&& set) {
    std::forward<Set>(set)(value_);
    if (resumable* const waiter = completion_.complete().waiter; waiter != nullptr) wake(*waiter);
  }

  completion& its_completion() noexcept { return completion_; }
  result<T> take() { return value_.take(); }

  // By each of the two ends, once. Acquire-release, so that who destroys sees what the other has done.
  void release() noexcept {
    if (ends_.fetch_sub(1, memory_order_acq_rel) == 1) delete this;
  }

 private:
  completion completion_;
  outcome<result<T>> value_;
  atomic<int> ends_{2};
};

}  // namespace detail

// The providing end. Move-only. Dropped without having been set, it completes the future with errc::broken_promise.
template <class T = void>
class [[nodiscard]] promise {
  static_assert(!std::is_reference_v<T>, "a promise of a reference: promise a pointer");

 public:
  // Throws std::bad_alloc.
  promise() : state_(new detail::future_state<T>) {}
  promise(promise&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)), future_taken_(std::exchange(other.future_taken_, true)) {}
  promise& operator=(promise&& other) noexcept {
    promise taken(std::move(other));
    std::swap(state_, taken.state_);
    std::swap(future_taken_, taken.future_taken_);
    return *this;
  }
  ~promise() {
    if (valid()) set_error(errc::broken_promise);
  }

  // The other end; once.
  [[nodiscard]] future<T> get_future() noexcept;

  // Each completes the future; one of them may be called, once. Whoever waits goes on at its home, never in here.
  // set_value throws what making the value throws, and then nothing was set.
  template <class... Args>
    requires std::is_constructible_v<result<T>, std::in_place_t, Args&&...>
  void set_value(Args&&... args) {
    complete([&](auto& value) { value.set_value(std::in_place, std::forward<Args>(args)...); });
  }
  void set_error(error failure) noexcept {
    complete([&](auto& value) { value.set_value(detail::fail(failure)); });
  }
  // Thrown where the future is awaited.
  void set_exception(std::exception_ptr exception) noexcept {
    complete([&](auto& value) { value.set_exception(std::move(exception)); });
  }

  // False once it was set or moved from.
  bool valid() const noexcept { return state_ != nullptr; }

 private:
  template <class Set>
  void complete(Set&& set) {
    detail::expects(valid(), "a promise was set that had been set or moved from before");
    state_->complete(std::forward<Set>(set));
    if (!future_taken_) state_->release();  // there will be no other end
    std::exchange(state_, nullptr)->release();
  }

  detail::future_state<T>* state_;
  bool future_taken_ = false;
};

// The waiting end, an operation: awaited once for a result<T>, errc::broken_promise if the promise was dropped; an
// exception that was set is thrown. Resumes on the executor of the strand that waits. Stop withdraws the wait and loses
// nothing: the future may be awaited again. Move-only; dropped, the value is dropped, too, whenever it comes.
template <class T = void>
class [[nodiscard]] future {
 public:
  static constexpr const char* name = "future";

  future(future&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  future& operator=(future&& other) noexcept {
    future taken(std::move(other));
    std::swap(state_, taken.state_);
    return *this;
  }
  ~future() {
    if (state_ != nullptr) state_->release();
  }

  // False once it was awaited or moved from.
  bool valid() const noexcept { return state_ != nullptr; }

  bool ready() const noexcept {
    detail::expects(valid(), "a future was awaited that had been awaited or moved from before");
    return state_->its_completion().done();
  }
  bool start(resumable& node) noexcept {
    waiter_ = &node;
    return state_->its_completion().wait(node);
  }
  cancel_result cancel() noexcept { return state_->its_completion().leave(*waiter_); }
  result<T> get() {
    struct releases {
      detail::future_state<T>* state;
      ~releases() { state->release(); }
    } const once{std::exchange(state_, nullptr)};
    return once.state->take();
  }

 private:
  friend class promise<T>;
  explicit future(detail::future_state<T>* state) noexcept : state_(state) {}

  detail::future_state<T>* state_;
  resumable* waiter_ = nullptr;
};

template <class T>
future<T> promise<T>::get_future() noexcept {
  detail::expects(valid() && !future_taken_, "the future of a promise was taken twice, or after it had been set");
  future_taken_ = true;
  return future<T>(state_);
}

}  // namespace cordage
