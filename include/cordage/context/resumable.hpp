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
  // Leaves the words as they are: they are written when somebody waits, and every wait would pay for writing them twice.
  resumable() noexcept {}

  resumable* next;          // of the queue it is in
  void (*run)(resumable&);  // goes on; the node may be gone when it returns. Stays the same in a queue. Throws nothing, and
                            // is not declared so: then it can end in a jump to what goes on
  executor* home;           // where it goes on; never null once something may complete it
};

}  // namespace cordage
