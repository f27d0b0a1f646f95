// The one thing every queue of the library holds: somebody who waits, and how to go on with them.
#pragma once

namespace cordage {

class executor;

// Three words that live where the waiter waits (in a coroutine's frame, a fiber's control block, the state of a
// combinator), so that no queue ever allocates.
//
// Whoever completes what is waited for calls wake(node) (strands/executor.hpp), which hands the node to its home. Only
// an executor calls `run`, and only from its loop: never a completer, since the code that goes on may destroy
// whatever the completer is still looking at.
struct resumable {
  resumable* next = nullptr;                  // of the queue it is in
  void (*run)(resumable&) noexcept = nullptr;  // goes on; the node may be gone when it returns
  executor* home = nullptr;                   // where it goes on; never null once something may complete it
};

}  // namespace cordage
