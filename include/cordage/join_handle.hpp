// join_handle<T>: what spawn gives, to wait for a strand's end, to stop it, or to let it go.
#pragma once

#include <type_traits>
#include <utility>

#include <cordage/strands/spawned.hpp>

namespace cordage {

// An operation: awaiting it gives a result, errc::stopped if the strand was stopped; an exception of the strand is
// thrown. Awaited once. Stopping the awaiting strand withdraws the wait and leaves the other strand alone.
//
// Move-only; the handle may be moved to, awaited and dropped on any thread, one at a time. Dropping it detaches: the
// strand goes on, and a failure goes to whoever answers for it, its scope or its runtime. A strand that failed before
// its handle was dropped has told the handle; dropping that unread discards what it told.
template <class T>
class join_handle {
 public:
  static constexpr const char* name = "join";

  explicit join_handle(detail::spawned<T>* strand) noexcept : strand_(strand) {}
  join_handle(join_handle&& other) noexcept : strand_(std::exchange(other.strand_, nullptr)) {}
  join_handle& operator=(join_handle&& other) noexcept {
    std::swap(strand_, other.strand_);
    return *this;
  }
  ~join_handle() {
    if (strand_ != nullptr) strand_->abandon();
  }

  // Asks the strand to stop; it ends at its current wait or its next. From anywhere, a signal handler included. False
  // if it had been asked before or has ended.
  bool request_stop() noexcept { return strand_->request_stop(); }

  // False once it was moved from.
  bool valid() const noexcept { return strand_ != nullptr; }

  bool ready() const noexcept { return strand_->done(); }
  bool start(resumable& node) noexcept {
    waiter_ = &node;
    return strand_->join(node);
  }
  cancel_result cancel() noexcept { return strand_->leave(*waiter_); }

  detail::as_result_of<T> get() {
    if (strand_->value.state() == detail::outcome_state::stopped) return detail::failed_as<detail::as_result_of<T>>(errc::stopped);
    if constexpr (std::is_void_v<T>) {
      strand_->value.take();
      return {};
    } else {
      return strand_->value.take();
    }
  }

 private:
  detail::spawned<T>* strand_;
  resumable* waiter_ = nullptr;
};

}  // namespace cordage
