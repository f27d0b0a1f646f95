// What strands can be asked about themselves. In a task that is awaited: a plain call would need a word that is written
// whenever one coroutine goes on with another. Answered on the strand's executor.
#pragma once

#include <utility>

#include <cordage/context/operation.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

// Ready at once, with what f gives of the strand.
template <class F>
class strand_question {
 public:
  static constexpr const char* name = "nothing";

  explicit strand_question(F f) noexcept : f_(std::move(f)) {}
  void attach(strand& on) noexcept { on_ = &on; }
  bool ready() const noexcept { return true; }
  bool start(resumable&) const noexcept { return false; }
  static constexpr bool always_too_late = true;
  static constexpr bool begins_when_stopped = true;  // it is no wait
  cancel_result cancel() const noexcept { return cancel_result::too_late; }
  decltype(auto) get() { return f_(*on_); }

 private:
  F f_;
  strand* on_ = nullptr;
};

template <class F>
auto ask_strand(F f) noexcept {
  return strand_question<F>(std::move(f));
}

}  // namespace cordage::detail
