// What all coroutines of the library share: who awaits them, on which strand they run, and how a stop or an unused
// error takes their frames down.
//
// One thread at a time: everything here runs on the strand's executor.
#pragma once

#include <coroutine>
#include <memory>
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
  task_link() noexcept {}

  std::coroutine_handle<> child;   // null once the frame is destroyed
  promise_base* parent = nullptr;  // the awaiting coroutine; null where a strand or a combinator begins: a root_link
  // The rest is for children whose value is a result, and not written for others: every await would pay for it.
  union {
    error failure;  // what the child ended with, once it is destroyed
  };
  bool propagates;  // the parent said `!` and can pass an error on
};

// Where a strand or a combinator begins, which is told how the outermost coroutine ended.
struct root_link : task_link {
  explicit root_link(void (*tell)(root_link&, frame_end) noexcept) noexcept : ended(tell) {}
  void (*ended)(root_link&, frame_end) noexcept;
};

class promise_base {
 public:
  std::coroutine_handle<> continuation;  // who is resumed at the end; null where there is no parent
  // Set when the coroutine is started.
  task_link* link;
  strand* on;

  std::suspend_always initial_suspend() noexcept { return {}; }
};

// Rare, and so kept out of the coroutines' own code.
CORDAGE_RARELY_CALLED inline void end_root(promise_base& outermost, frame_end how) noexcept {
  auto& link = static_cast<root_link&>(*outermost.link);
  link.ended(link, how);
}

// Destroys the frame of `innermost`, which is suspended, and those that await it, up to where the strand or a
// combinator began, which is told. Iterative: a million frames need no stack.
inline void unwind_stopped(promise_base& innermost) noexcept {
  promise_base* at = &innermost;
  for (;;) {
    task_link& link = *at->link;
    at = link.parent;
    std::exchange(link.child, {}).destroy();
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
    const std::coroutine_handle<> continuation = at->continuation;
    at = link.parent;
    std::exchange(link.child, {}).destroy();
    std::construct_at(&link.failure, failure);
    if (at == nullptr) {
      auto& root = static_cast<root_link&>(link);
      root.ended(root, frame_end::failed);
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
      if (promise.link->parent != nullptr && promise.link->propagates && promise.holds_error()) [[unlikely]]
        return propagate(promise, promise.value.value().error());
    }
    if (promise.continuation) [[likely]] return promise.continuation;
    end_root(promise, frame_end::completed);
    return std::noop_coroutine();
  }
};

}  // namespace cordage::detail
