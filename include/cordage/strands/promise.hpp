// What all coroutines of the library share: who awaits them, on which strand they run, and how a stop or an unused
// error takes their frames down.
//
// One thread at a time: everything here runs on the strand's executor.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <cordage/result.hpp>
#include <cordage/strands/outcome.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

class promise_base;

// Of a coroutine of ours, known as Promise. Where compilers have it: right behind the two pointers with which every frame
// begins (final_awaiter looks that it is so).
template <class Promise = promise_base>
Promise& promise_of(std::coroutine_handle<> frame) noexcept {
  return std::coroutine_handle<Promise>::from_address(frame.address()).promise();
}

enum class frame_end : unsigned char {
  completed,  // the frame is suspended at its end and holds the outcome
  stopped,    // the frame is destroyed
  failed,     // the frame is destroyed; the error is in the link
  yielded,    // the frame is suspended at a co_yield
};

// The awaiting side of a coroutine: it owns the frame. It lives in the awaiting frame, so that frames can be
// destroyed from the innermost outwards, one after another, however deep they are nested.
struct task_link {
  task_link() noexcept {}
  ~task_link() {}

  // The promise of `continuation`; null where that is.
  promise_base* parent() const noexcept;

  union {
    // The awaiting coroutine, which is resumed at the end: null where a strand or a combinator begins, in a root_link.
    // Set when the child is started, and not written before.
    std::coroutine_handle<> continuation;
  };
  std::coroutine_handle<> child;  // null once the frame is destroyed
  // The rest is not written where it is not needed: every await would pay for it.
  union {
    error failure;                 // what a child whose value is a result ended with, once it is destroyed
    std::exception_ptr exception;  // what the child ended with, if its state says so; until it is thrown
  };
  bool propagates;  // where the child's value is a result: the parent said `!` and can pass an error on
};

inline std::exception_ptr take_exception(task_link& link) noexcept {
  std::exception_ptr taken = std::move(link.exception);
  std::destroy_at(&link.exception);
  return taken;
}

// Ends a wait for a child that has no value. Rare, and so kept out of the coroutines' own code.
[[noreturn]] CORDAGE_RARELY_THROWS inline void rethrow(task_link& link, outcome_state ended) {
  expects(ended == outcome_state::exception, "a task was awaited whose body ended without a value");
  std::rethrow_exception(take_exception(link));
}

// The value of a child that has ended, or its exception thrown.
template <class T>
T take_from(task_link& link, value_slot<T>& slot) {
  if (const outcome_state ended = slot.state(); ended != outcome_state::value) [[unlikely]] {
    slot.set_state(outcome_state::pending);
    rethrow(link, ended);
  }
  return slot.take();
}

// Where a strand or a combinator begins, which is told how the outermost coroutine ended.
struct root_link : task_link {
  explicit root_link(void (*tell)(root_link&, frame_end) noexcept) noexcept : ended(tell) {
    std::construct_at(&continuation);
  }
  void (*ended)(root_link&, frame_end) noexcept;
};

class promise_base {
 public:
  // Set when the coroutine is started.
  task_link* link;
  strand* on;
  executor* home;  // of the strand; here too, since the strand's own cache line is not needed for much else

  // In a catch block. Rare, like rethrow.
  CORDAGE_RARELY_CALLED void keep_current_exception() noexcept {
    std::construct_at(&link->exception, std::current_exception());
  }

  // Before the coroutine goes on from the executor's loop.
  void enter() noexcept { home->enter(*on); }

  // Asked before each wait.
  bool stopping() const noexcept { return home->any_stopping() && on->stopping(); }

  void start_as_root(root_link& at, strand& of) noexcept { link = &at, on = &of, home = of.home; }

  std::suspend_always initial_suspend() noexcept { return {}; }
};

inline promise_base* task_link::parent() const noexcept { return continuation ? &promise_of(continuation) : nullptr; }

inline void end_root(promise_base& outermost, frame_end how) noexcept {
  auto& link = static_cast<root_link&>(*outermost.link);
  link.ended(link, how);
}

// How many stops are taking down frames on this thread, each inside a destructor of the one before.
inline constinit thread_local int frames_under_destruction = 0;

// Destroys the frame of `innermost`, which is suspended, and those that await it, up to where the strand or a
// combinator began, which is told. Iterative: a million frames need no stack.
CORDAGE_RARELY_CALLED inline void unwind_stopped(promise_base& innermost) noexcept {
  promise_base* at = &innermost;
  for (;;) {
    task_link& link = *at->link;
    at = link.parent();
    ++frames_under_destruction;
    std::exchange(link.child, {}).destroy();
    --frames_under_destruction;
    if (at == nullptr) {
      auto& root = static_cast<root_link&>(link);
      return root.ended(root, frame_end::stopped);
    }
  }
}

// The same for an error, up to the first caller that did not say `!`. Gives whom to resume: that caller, or nobody
// where the error reached the beginning of the strand.
[[nodiscard]] inline std::coroutine_handle<> propagate(promise_base& innermost, error failure) noexcept {
  promise_base* at = &innermost;
  for (;;) {
    task_link& link = *at->link;
    at = link.parent();
    std::exchange(link.child, {}).destroy();
    std::construct_at(&link.failure, failure);
    if (at == nullptr) {
      auto& root = static_cast<root_link&>(link);
      root.ended(root, frame_end::failed);
      return std::noop_coroutine();
    }
    if (!link.propagates) return link.continuation;
  }
}

// The end of a coroutine: goes on with whoever awaits it, by symmetric transfer, without a node and without a hop.
struct final_awaiter {
  bool await_ready() const noexcept { return false; }
  void await_resume() const noexcept {}

  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    // Every coroutine of ours comes by here: promise_of finds its promise.
    static_assert(std::is_base_of_v<promise_base, Promise> && alignof(Promise) <= promise_alignment);
    Promise& promise = self.promise();
    if constexpr (gives_error<typename Promise::value_type>) {
      if (promise.link->continuation && promise.link->propagates && promise.holds_error()) [[unlikely]]
        return propagate(promise, promise.value.value().error());
    }
    if (const auto continuation = promise.link->continuation; continuation) [[likely]] return continuation;
    end_root(promise, frame_end::completed);
    return std::noop_coroutine();
  }
};

}  // namespace cordage::detail
