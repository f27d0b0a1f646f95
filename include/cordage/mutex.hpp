// mutex: one strand at a time.
//
//   mutex m;
//   {
//     auto held = co_await m.lock();           // in a fiber: await(m.lock())
//     …                                        // may wait for other things meanwhile
//   }                                          // unlocked
//
// Any thread may use it, and none ever blocks: who waits is a strand. Handed over first in, first out, by who unlocks; so
// one that is busy cannot keep it from the others. It is not recursive: a strand that locks it twice waits for itself.
#pragma once

#include <cordage/sync/holding.hpp>
#include <cordage/sync/waiting_line.hpp>

namespace cordage {

class mutex {
  struct rules {
    static constexpr const char* kind = "mutex";

    bool lets_in(const detail::place_in_line&) const noexcept { return !locked; }
    void enter(const detail::place_in_line& by) noexcept {
      locked = true;
      holder = by.who;
    }

    detail::strand* holder = nullptr;  // for dumps; null where that is not known
    bool locked = false;
  };
  using line = detail::waiting_line<rules>;
  struct whole {};

 public:
  mutex() noexcept = default;
  // Nobody may wait for it; asserted, with a name.
  ~mutex() = default;

  // Unlocks when it is destroyed, or by unlock(), on any thread. Move-only; false where it holds nothing.
  using guard = detail::holding<mutex, whole>;

  // Completes with a guard. Stop withdraws the wait, and the mutex goes to the next; who has got it while being stopped
  // has a guard, which gives it back. The mutex outlives the operation.
  [[nodiscard]] auto lock() noexcept { return lock_operation(*this); }

  // At once or not at all; also where there is no strand.
  [[nodiscard]] guard try_lock() noexcept {
    detail::place_in_line nobody;
    return line_.try_enter(nobody) ? guard(*this, {}) : guard();
  }

 private:
  friend guard;

  class lock_operation : public detail::line_operation<line> {
   public:
    static constexpr const char* name = "mutex.lock";

    explicit lock_operation(mutex& of) noexcept : line_operation(of.line_), of_(&of) {}

    guard get() const noexcept { return guard(*of_, {}); }
    detail::strand* held_by() const noexcept {
      return line_->ask([](const rules& now) { return now.holder; });
    }

   private:
    mutex* of_;
  };

  void give_back(whole) noexcept {
    line_.change([](rules& now) {
      now.locked = false;
      now.holder = nullptr;
    });
  }

  line line_;
};

}  // namespace cordage
