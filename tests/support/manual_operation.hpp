// An operation that a test completes by hand, and that tells what was asked of it.
#pragma once

#include <cordage/context/operation.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/executor.hpp>

struct manual {
  int value = 0;
  bool is_ready = false;
  bool completes_in_start = false;
  bool can_be_withdrawn = true;
  int readies = 0, starts = 0, cancels = 0, gets = 0;
  cordage::resumable* waiter = nullptr;

  // As the completer would: the waiter goes on when its executor's turn comes.
  void complete(int with) {
    value = with;
    cordage::detail::wake(*std::exchange(waiter, nullptr));
  }
};

// Waits for a manual and gives its value.
class manual_operation {
 public:
  explicit manual_operation(manual& behind) noexcept : m(&behind) {}
  bool ready() noexcept {
    ++m->readies;
    return m->is_ready;
  }
  bool start(cordage::resumable& node) noexcept {
    ++m->starts;
    if (m->completes_in_start) return false;
    m->waiter = &node;
    return true;
  }
  cordage::cancel_result cancel() noexcept {
    ++m->cancels;
    if (!m->can_be_withdrawn || m->waiter == nullptr) return cordage::cancel_result::too_late;
    m->waiter = nullptr;
    return cordage::cancel_result::withdrawn;
  }
  int get() noexcept {
    ++m->gets;
    return m->value;
  }

 protected:
  manual* m;
};

// The same with a result: a negative value stands for errc::closed.
class manual_result_operation : public manual_operation {
 public:
  using manual_operation::manual_operation;
  cordage::result<int> get() noexcept {
    ++m->gets;
    if (m->value < 0) return cordage::detail::fail(cordage::errc::closed);
    return m->value;
  }
};

// So that `!` finds the operations of this header, which live outside of the library's namespaces.
using cordage::operator!;
