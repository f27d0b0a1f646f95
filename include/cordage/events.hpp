// Events: something has happened. manual_reset_event tells everybody who waits, until it is reset; auto_reset_event tells
// one, and forgets.
//
//   manual_reset_event loaded;
//   co_await loaded.wait();                    // elsewhere: loaded.set()
//
// Any thread may use them, and none ever blocks; set is not for signal handlers, see suspend_for_isr. First in, first out.
#pragma once

#include <cordage/sync/waiting_line.hpp>

namespace cordage {

namespace detail {

// What is common: Rules says what becomes of the event when somebody has waited for it.
template <class Rules>
class event {
  using line = waiting_line<Rules>;

 public:
  explicit event(bool is_set = false) noexcept : line_(is_set) {}
  // Nobody may wait for it; asserted, with a name.
  ~event() = default;

  // Completes when it is set. Stop withdraws the wait; a set that it has answered counts as seen.
  [[nodiscard]] auto wait() noexcept { return wait_operation(line_); }

  // Whether it is set; where that resets it, it does.
  [[nodiscard]] bool try_wait() noexcept {
    place_in_line nobody;
    return line_.try_enter(nobody);
  }

  void set() noexcept {
    line_.change([](Rules& now) { now.set = true; });
  }
  void reset() noexcept {
    line_.change([](Rules& now) { now.set = false; });
  }

  // Only a hint where others use it.
  bool is_set() noexcept {
    return line_.ask([](const Rules& now) { return now.set; });
  }

 private:
  class wait_operation : public line_operation<line> {
   public:
    static constexpr const char* name = Rules::wait_name;

    explicit wait_operation(line& of) noexcept : line_operation<line>(of) {}
  };

  line line_;
};

struct manual_reset_rules {
  static constexpr const char* kind = "manual_reset_event";
  static constexpr const char* wait_name = "manual_reset_event.wait";

  explicit manual_reset_rules(bool is_set) noexcept : set(is_set) {}
  bool lets_in(const place_in_line&) const noexcept { return set; }
  void enter(const place_in_line&) const noexcept {}

  bool set;
};

struct auto_reset_rules {
  static constexpr const char* kind = "auto_reset_event";
  static constexpr const char* wait_name = "auto_reset_event.wait";

  explicit auto_reset_rules(bool is_set) noexcept : set(is_set) {}
  bool lets_in(const place_in_line&) const noexcept { return set; }
  void enter(const place_in_line&) noexcept { set = false; }

  bool set;
};

}  // namespace detail

// set() lets all go who wait, and who comes later, until reset().
class manual_reset_event : public detail::event<detail::manual_reset_rules> {
  using event::event;
};

// set() lets one go: who waits longest, or who comes next. Being set twice before that is the same as once.
class auto_reset_event : public detail::event<detail::auto_reset_rules> {
  using event::event;
};

}  // namespace cordage
