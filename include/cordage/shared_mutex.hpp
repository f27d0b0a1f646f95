// shared_mutex: many readers or one writer.
//
//   auto reading = co_await m.lock_shared();
//   auto writing = co_await m.lock();
//
// Any thread may use it, and none ever blocks. First in, first out: a reader that comes while a writer waits goes behind
// it, so writers do not starve; readers that stand next to each other get in together. Not recursive: a reader that locks
// again while a writer waits, waits for itself.
#pragma once

#include <cstddef>
#include <type_traits>

#include <cordage/sync/holding.hpp>
#include <cordage/sync/waiting_line.hpp>

namespace cordage {

class shared_mutex {
  struct shared {};
  struct exclusive {};

  struct place : detail::place_in_line {
    explicit place(shared) noexcept : is_shared(true) {}
    explicit place(exclusive) noexcept : is_shared(false) {}
    bool is_shared;
  };

  struct rules {
    static constexpr const char* kind = "shared_mutex";

    bool lets_in(const place& by) const noexcept { return !written && (by.is_shared || readers == 0); }
    void enter(const place& by) noexcept {
      if (by.is_shared) {
        ++readers;
      } else {
        written = true;
      }
      holder = by.who;
    }

    detail::strand* holder = nullptr;  // for dumps: the latest to get in, until any leaves; null where that is not known
    std::size_t readers = 0;
    bool written = false;
  };
  using line = detail::waiting_line<rules, place>;

 public:
  shared_mutex() noexcept = default;
  // Nobody may wait for it; asserted, with a name.
  ~shared_mutex() = default;

  // Each unlocks when it is destroyed, or by unlock(), on any thread. Move-only; false where it holds nothing.
  using guard = detail::holding<shared_mutex, exclusive>;
  using shared_guard = detail::holding<shared_mutex, shared>;

  // Each completes with a guard. Stop withdraws the wait, and whoever stands behind goes on; who has got the lock while
  // being stopped has a guard, which gives it back. The mutex outlives the operation.
  [[nodiscard]] auto lock() noexcept { return lock_operation<exclusive>(*this); }
  [[nodiscard]] auto lock_shared() noexcept { return lock_operation<shared>(*this); }

  // At once or not at all; also where there is no strand.
  [[nodiscard]] guard try_lock() noexcept { return try_now<exclusive>(); }
  [[nodiscard]] shared_guard try_lock_shared() noexcept { return try_now<shared>(); }

 private:
  friend guard;
  friend shared_guard;

  template <class How>
  class lock_operation : public detail::line_operation<line, place> {
   public:
    static constexpr const char* name = std::is_same_v<How, shared> ? "shared_mutex.lock_shared" : "shared_mutex.lock";

    explicit lock_operation(shared_mutex& of) noexcept : line_operation(of.line_, How{}), of_(&of) {}

    detail::holding<shared_mutex, How> get() const noexcept { return {*of_, How{}}; }
    detail::strand* held_by() const noexcept {
      return line_->ask([](const rules& now) { return now.holder; });
    }

   private:
    shared_mutex* of_;
  };

  template <class How>
  detail::holding<shared_mutex, How> try_now() noexcept {
    place nobody(How{});
    if (!line_.try_enter(nobody)) return {};
    return {*this, How{}};
  }

  void give_back(shared) noexcept {
    line_.change([](rules& now) {
      --now.readers;
      now.holder = nullptr;  // it may be the one that leaves
    });
  }
  void give_back(exclusive) noexcept {
    line_.change([](rules& now) {
      now.written = false;
      now.holder = nullptr;
    });
  }

  line line_;
};

}  // namespace cordage
