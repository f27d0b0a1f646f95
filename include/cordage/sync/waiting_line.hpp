// Those who wait for the same thing, first in, first out, and the rules by which they get it: what mutexes, semaphores,
// events, latches and barriers have in common.
//
// Any thread. The rules are a few words of state; they are read and changed under a lock that is never held while code of
// others runs. Nobody overtakes: who comes enters at once only if nobody waits. A place lies in the operation that waits.
#pragma once

#include <cstddef>

#include <cordage/base/intrusive_list.hpp>
#include <cordage/base/spin_lock.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/strand.hpp>
#include <cordage/sync/race.hpp>

namespace cordage::detail {

enum class place_state : unsigned char {
  waiting,
  entered,  // it has got what it waits for
  lost,     // another alternative of its select was faster: it is out of the line, and the select withdraws it
};

struct place_in_line : list_links<place_in_line> {
  // Leaves alone what is set when it waits: most of those who come enter at once, and a locked instruction waits for the
  // stores before it.
  place_in_line() noexcept {}
  // Movable until somebody waits in it.
  place_in_line(place_in_line&&) noexcept : list_links() {}

  resumable* node;         // to be woken; set when it waits
  strand* who = nullptr;   // for dumps
  race* racing = nullptr;  // of which select this is an alternative
  place_state state;       // from then on; changes under the lock

  // Before it begins, and before it joins a race. Where it has waited before, it was withdrawn, and of the race that it may
  // have lost then nothing is left.
  void begin_on(strand& on) noexcept {
    who = &on;
    racing = nullptr;
  }

  // Under the lock: the node will be woken when it has entered. One that has lost its race already keeps nobody out: it is
  // in no line.
  void wait_in(intrusive_list<place_in_line>& line, resumable& by) noexcept {
    node = &by;
    state = race::is_lost(racing) ? place_state::lost : place_state::waiting;
    if (state == place_state::waiting) line.push_back(*this);
  }
  bool has_entered() const noexcept { return state == place_state::entered; }
  // Out of the line. False: it has lost.
  bool enter_race() noexcept {
    const bool won = race::claim(racing);
    state = won ? place_state::entered : place_state::lost;
    return won;
  }
};

// Of what is destroyed although somebody waits for it: says who, and aborts.
[[noreturn]] void destroyed_under_waiters(const char* kind, intrusive_list<place_in_line>& waiting) noexcept;

// Wakes those that have left the line. Each may be gone as soon as it is woken.
inline void wake_all(intrusive_list<place_in_line>& left) noexcept {
  while (!left.empty()) {
    place_in_line& next = left.front();
    next.unlink();
    wake(*next.node);
  }
}

// Rules say what it is (`kind`), whether a place may enter (`lets_in`), and what changes when it does (`enter`). Place
// derives from place_in_line.
template <class Rules, class Place = place_in_line>
class waiting_line {
 public:
  template <class... Args>
  explicit waiting_line(Args... args) noexcept : rules_(args...) {}
  waiting_line(const waiting_line&) = delete;
  waiting_line& operator=(const waiting_line&) = delete;
  ~waiting_line() {
    if (!waiting_.empty()) [[unlikely]] destroyed_under_waiters(Rules::kind, waiting_);
  }

  bool try_enter(Place& by) noexcept {
    const spin_guard held(lock_);
    return waiting_.empty() && enter_now(by);
  }

  // False: it has entered already, and the node will not be woken.
  bool wait(Place& by, resumable& node) noexcept {
    const spin_guard held(lock_);
    if (waiting_.empty() && enter_now(by)) return false;
    by.wait_in(waiting_, node);
    return true;
  }

  // Gives up a place. `before` changes the rules if it is not too late.
  template <class Before>
  cancel_result leave(Place& by, Before&& before) noexcept {
    lock_.lock();
    if (by.has_entered()) {
      lock_.unlock();
      return cancel_result::too_late;
    }
    if (by.state == place_state::waiting) by.unlink();
    before(rules_);
    let_in_and_unlock();
    return cancel_result::withdrawn;
  }
  cancel_result leave(Place& by) noexcept {
    return leave(by, [](Rules&) {});
  }

  // Changes the rules, and lets in whom they then let in.
  template <class Change>
  void change(Change&& how) noexcept {
    lock_.lock();
    how(rules_);
    if (waiting_.empty()) [[likely]] return lock_.unlock();
    let_in_and_unlock();
  }

  // The same for one that takes a place by what it changes: a barrier's. Answers as wait does.
  template <class Change>
  bool change_and_wait(Place& by, resumable& node, Change&& how) noexcept {
    lock_.lock();
    how(rules_);
    const bool waits = !enter_now(by);
    if (waits) by.wait_in(waiting_, node);
    let_in_and_unlock();
    return waits;
  }

  template <class Question>
  auto ask(Question&& what) noexcept {
    const spin_guard held(lock_);
    return what(static_cast<const Rules&>(rules_));
  }

 private:
  bool enter_now(Place& by) noexcept {
    if (!rules_.lets_in(by) || !race::claim(by.racing)) return false;
    rules_.enter(by);
    return true;
  }

  CORDAGE_RARELY_THROWS void let_in_and_unlock() noexcept {
    intrusive_list<place_in_line> entered;
    while (!waiting_.empty()) {
      Place& next = static_cast<Place&>(waiting_.front());
      if (!rules_.lets_in(next)) break;
      next.unlink();
      if (!next.enter_race()) continue;
      rules_.enter(next);
      entered.push_back(next);
    }
    lock_.unlock();
    wake_all(entered);
  }

  spin_lock lock_;
  Rules rules_;
  intrusive_list<place_in_line> waiting_;
};

// What waits in a line: the base of the operations. Movable until it is started.
template <class Line, class Place = place_in_line>
class line_operation {
 public:
  template <class... Args>
  explicit line_operation(Line& line, Args... args) noexcept : line_(&line), place_(args...) {}

  void attach(strand& on) noexcept { place_.begin_on(on); }
  // Of a child: in the name of the strand that it is a child of, which is still there when the child has ended.
  void on_behalf_of(strand& whom) noexcept { place_.who = &whom; }
  void join(race& with) noexcept { place_.racing = &with; }
  bool ready() noexcept { return line_->try_enter(place_); }
  bool start(resumable& node) noexcept { return line_->wait(place_, node); }
  cancel_result cancel() noexcept { return line_->leave(place_); }
  void get() const noexcept {}

 protected:
  Line* line_;
  Place place_;
};

}  // namespace cordage::detail
