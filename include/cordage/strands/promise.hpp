// What all coroutines of the library share: who awaits them, on which strand they run, and how a stop or an unused
// error takes their frames down.
//
// One thread at a time: everything here runs on the strand's executor.
#pragma once

#include <coroutine>
#include <utility>

#include <cordage/result.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

class promise_base;

enum class frame_end : unsigned char {
  completed,  // the frame is suspended at its end and holds the outcome
  stopped,    // the frame is destroyed
  failed,     // the frame is destroyed; the error is in the link
};

// The awaiting side of a coroutine: it owns the frame. It lives in the awaiting frame, so that frames can be
// destroyed from the innermost outwards, one after another, however deep they are nested.
struct task_link {
  std::coroutine_handle<> child;   // null once the frame is destroyed
  promise_base* parent = nullptr;  // the awaiting coroutine; null where a strand or a combinator begins
  void (*ended)(task_link&, frame_end) noexcept = nullptr;  // only without a parent
  error failure{};                 // what the child ended with, if by failing
  bool propagates = false;         // the parent said `!` and can pass an error on
};

class promise_base {
 public:
  std::coroutine_handle<> continuation;  // who is resumed at the end; null where there is no parent
  task_link* link = nullptr;
  strand* on = nullptr;

  std::suspend_always initial_suspend() noexcept { return {}; }
};

// Destroys the frame of `innermost`, which is suspended, and those that await it, up to where the strand or a
// combinator began, which is told. Iterative: a million frames need no stack.
inline void unwind_stopped(promise_base& innermost) noexcept {
  promise_base* at = &innermost;
  for (;;) {
    task_link& link = *at->link;
    at = link.parent;
    std::exchange(link.child, {}).destroy();
    if (at == nullptr) return link.ended(link, frame_end::stopped);
  }
}

// The same for an error, up to the first caller that did not say `!`. Gives whom to resume: that caller, or nobody
// where the error reached the beginning of the strand.
[[nodiscard]] inline std::coroutine_handle<> propagate(promise_base& innermost, error failure) noexcept {
  promise_base* at = &innermost;
  for (;;) {
    task_link& link = *at->link;
    const std::coroutine_handle<> continuation = at->continuation;
    at = link.parent;
    std::exchange(link.child, {}).destroy();
    link.failure = failure;
    if (at == nullptr) {
      link.ended(link, frame_end::failed);
      return std::noop_coroutine();
    }
    if (!link.propagates) return continuation;
  }
}

// The end of a coroutine: goes on with whoever awaits it, by symmetric transfer, without a node and without a hop.
struct final_awaiter {
  bool await_ready() const noexcept { return false; }
  void await_resume() const noexcept {}

  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    Promise& promise = self.promise();
    if constexpr (is_result<typename Promise::value_type>) {
      if (promise.link->propagates && promise.holds_error()) [[unlikely]]
        return propagate(promise, promise.value.value().error());
    }
    if (promise.continuation) [[likely]] return promise.continuation;
    task_link& link = *promise.link;
    link.ended(link, frame_end::completed);
    return std::noop_coroutine();
  }
};

}  // namespace cordage::detail
