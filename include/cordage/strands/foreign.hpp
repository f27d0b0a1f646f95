// Awaitables of others, in our strands: whatever has the standard three functions, or an operator co_await that gives it.
//
// A driver coroutine awaits it, and may be resumed on any thread; the strand then goes on at its own home. What it waits
// for so cannot be stopped: a stop takes effect, and the value is discarded, when it has completed.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <cordage/base/atomic.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/frame_memory.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

template <class A>
concept standard_awaiter = requires(A& a, std::coroutine_handle<> h) {
  { a.await_ready() } -> std::convertible_to<bool>;
  a.await_suspend(h);
  a.await_resume();
};

// The awaiter behind an awaitable, as the language finds it.
template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
  if constexpr (!std::is_class_v<std::remove_cvref_t<A>>) {
    return static_cast<A&&>(awaitable);
  } else if constexpr (requires { static_cast<A&&>(awaitable).operator co_await(); }) {
    return static_cast<A&&>(awaitable).operator co_await();
  } else if constexpr (requires { operator co_await(static_cast<A&&>(awaitable)); }) {
    return operator co_await(static_cast<A&&>(awaitable));
  } else {
    return static_cast<A&&>(awaitable);
  }
}

template <class A>
concept foreign_awaitable =
    !operation_like<A> && standard_awaiter<std::remove_reference_t<decltype(detail::awaiter_of(std::declval<A>()))>>;

// The driver: waits once, then tells.
class foreign_driver {
 public:
  // Told when the driver is suspended at its end, on the thread that resumed it.
  struct listener {
    virtual void resumed() noexcept = 0;

   protected:
    ~listener() = default;
  };

  class promise_type : public recycled_frame {
   public:
    template <class Suspends>
    promise_type(Suspends&, listener& told) noexcept : told_(told) {}

    foreign_driver get_return_object() noexcept {
      return foreign_driver(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    struct last : std::suspend_always {
      void await_suspend(std::coroutine_handle<promise_type> self) const noexcept { self.promise().told_.resumed(); }
    };
    last final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    // Of await_suspend, before anybody could resume: the awaiting code's.
    void unhandled_exception() noexcept { failure = std::current_exception(); }

    std::exception_ptr failure;

   private:
    listener& told_;
  };

  foreign_driver(foreign_driver&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  foreign_driver& operator=(foreign_driver&&) = delete;
  ~foreign_driver() {
    if (frame_) frame_.destroy();
  }
  void begin() const { frame_.resume(); }
  const std::exception_ptr& failure() const noexcept { return frame_.promise().failure; }

  // Asked whether it is ready before, and for what it gives later.
  template <class Awaiter>
  struct suspends {
    Awaiter& awaiter;
    bool await_ready() const noexcept { return false; }
    auto await_suspend(std::coroutine_handle<> driver) { return awaiter.await_suspend(driver); }
    void await_resume() const noexcept {}
  };

 private:
  explicit foreign_driver(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

template <class Awaiter>
foreign_driver drive(foreign_driver::suspends<Awaiter>& waits, foreign_driver::listener&) {
  co_await waits;
}

// Kept is the awaitable: a reference where an lvalue is awaited.
template <class Kept>
class foreign_operation final : foreign_driver::listener {
  using found = decltype(awaiter_of(std::declval<Kept>()));
  using awaiter_type = std::remove_reference_t<found>;

 public:
  static constexpr const char* name = "an awaitable of another library";

  explicit foreign_operation(Kept&& awaitable) noexcept(std::is_nothrow_constructible_v<Kept, Kept&&>)
      : awaitable_(static_cast<Kept&&>(awaitable)) {}
  // Movable until it is started.
  foreign_operation(foreign_operation&& other) : awaitable_(static_cast<Kept&&>(other.awaitable_)) {}
  void attach(strand& on) noexcept { on_ = &on; }
  bool ready() {
    awaiter_.emplace(*this);
    return awaiter_->found_awaiter.await_ready();
  }
  bool start(resumable& node) noexcept {
    waiter_ = &node;
    waits_.emplace(awaiter_->found_awaiter);
    catching([&] { driver_.emplace(drive(*waits_, *this)); },
             [&](std::exception_ptr no_memory) { failure_ = std::move(no_memory); });
    if (!driver_) return false;
    driver_->begin();
    // Acquire: partner of the release in resumed(), on whichever thread.
    return phase_.exchange(suspended, memory_order_acq_rel) == begun;
  }

  // Not declared always_too_late: nothing would tell that the strand waits, and one that waits for ever would not be seen.
  cancel_result cancel() noexcept { return cancel_result::too_late; }
  bool stopped() const noexcept { return driver_.has_value() && on_->stopping(); }

  decltype(auto) get() {
    if (driver_) failure_ = driver_->failure();
    if (failure_ != nullptr) [[unlikely]] std::rethrow_exception(failure_);
    return awaiter_->found_awaiter.await_resume();
  }

 private:
  void resumed() noexcept override {
    if (phase_.exchange(ended, memory_order_acq_rel) == suspended) wake(*waiter_);
  }

  // Found when it is first asked for, where the operation stays.
  struct holder {
    explicit holder(foreign_operation& of) : found_awaiter(awaiter_of(static_cast<Kept&&>(of.awaitable_))) {}
    found found_awaiter;
  };

  Kept awaitable_;
  std::optional<holder> awaiter_;
  std::optional<foreign_driver::suspends<awaiter_type>> waits_;
  std::optional<foreign_driver> driver_;
  std::exception_ptr failure_;
  strand* on_ = nullptr;
  resumable* waiter_ = nullptr;
  // Written by start and by resumed, each once, by exchange: the second one knows of the first. Where that is start the
  // node is not needed, where that is resumed it wakes the node.
  enum phase : unsigned char { begun, suspended, ended };
  atomic<unsigned char> phase_{begun};
};

// Whatever a strand can wait for, as an operation.
template <class A>
concept awaitable_here = operation_like<A> || foreign_awaitable<A>;

template <operation_like A>
decltype(auto) waited_for(A&& awaitable) {
  return as_operation(std::forward<A>(awaitable));
}
template <foreign_awaitable A>
auto waited_for(A&& awaitable) {
  return foreign_operation<kept_of<A>>(static_cast<A&&>(awaitable));
}

// What awaiting A gives.
template <awaitable_here A>
using awaited_value = decltype(std::declval<std::remove_reference_t<decltype(detail::waited_for(std::declval<A>()))>&>().get());

}  // namespace cordage::detail
