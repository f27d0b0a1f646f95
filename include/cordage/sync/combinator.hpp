// What when_all, when_any and with_timeout have in common: children, each a strand of its own, that run side by side in
// place of the strand that waits for them.
//
// Children begin in order, inside start(), and run until their first wait. Everything happens on the executor of the
// strand that waits. A stop of that strand stops the children; the combinator completes when all have ended.
#pragma once

#include <cstddef>
#include <utility>

#include <cordage/context/operation.hpp>
#include <cordage/strands/inner_operation.hpp>
#include <cordage/strands/strand.hpp>
#include <cordage/sync/race.hpp>

namespace cordage::detail {

class combinator;

enum class fate : unsigned char { running, value, error, exception, stopped };

// Lives in the combinator's operation, and nobody else has a reference: so nobody but the combinator can stop it.
class child_strand : public strand {
 public:
  child_strand* next_child = nullptr;  // in the order in which they were begun
  fate how = fate::running;

  strand& on_behalf_of() noexcept override;

 protected:
  child_strand() noexcept : strand(strand_kind::task) {}
  ~child_strand() = default;

  combinator* of_ = nullptr;

  void end() noexcept override;

 private:
  void destroy() noexcept override {}
};

class combinator {
 public:
  combinator(const combinator&) = delete;
  combinator& operator=(const combinator&) = delete;

  void attach(strand& on) noexcept { parent_ = &on; }
  bool ready() const noexcept { return false; }
  bool start(resumable& node);
  cancel_result cancel() noexcept {
    cancelled_ = true;
    stop_children();
    return cancel_result::too_late;
  }

  // Called by a child.
  void child_ended(child_strand& child) noexcept {
    judge(child);
    let_go();
  }

  // For children: what they race for where only one of them is to complete. Null where all may.
  race* racing() const noexcept { return racing_; }
  strand& parent() const noexcept { return *parent_; }

  template <class F>
  void each_child(F&& f) {
    for (child_strand* each = first_; each != nullptr; each = each->next_child) f(*each);
  }

 protected:
  combinator() noexcept = default;
  ~combinator() = default;

  // Before they begin.
  void let_race(race* with) noexcept { racing_ = with; }

  // Calls begin_child() for each child, unless stopping_children().
  virtual void begin_children() = 0;
  // A child has ended; it tells how.
  virtual void judge(child_strand& child) noexcept = 0;

  template <class Child>
  void begin_child(Child& child) {
    if (stopping_) return;
    *last_ = &child;
    last_ = &child.next_child;
    ++pending_;
    child.begin(*this, *parent_);
  }

  // Those that have not begun will not. Once is enough.
  void stop_children() noexcept {
    if (std::exchange(stopping_, true)) return;
    each_child([](child_strand& child) {
      if (child.how == fate::running) child.request_stop();
    });
  }
  bool stopping_children() const noexcept { return stopping_; }
  // Whether the strand that waits was asked to stop meanwhile.
  bool cancelled() const noexcept { return cancelled_; }


  // For whatever else has to come to its end before the combinator completes. drop_hold is for judge(): the combinator
  // does not complete then and there.
  void hold() noexcept { ++pending_; }
  void drop_hold() noexcept { --pending_; }
  void let_go() noexcept {
    if (--pending_ == 0) wake(*waiter_);
  }

 private:
  struct begin_node : resumable {
    combinator* owner;
  };
  static void begin_later(resumable& node);

  strand* parent_ = nullptr;
  resumable* waiter_ = nullptr;
  child_strand* first_ = nullptr;
  child_strand** last_ = &first_;
  std::size_t pending_ = 0;
  race* racing_ = nullptr;
  bool stopping_ = false;
  bool cancelled_ = false;
  begin_node later_;
};

// True: `node` will be woken.
inline bool combinator::start(resumable& node) {
  waiter_ = &node;
  pending_ = 1;
  executor& here = *parent_->home;
  // The whole at once rather than its children: what is ready at once is then found to be so.
  if (here.nested_starts >= deepest_start) [[unlikely]] {
    later_.owner = this, later_.run = begin_later, later_.home = &here;
    wake(later_);
    return true;
  }
  begin_children();
  here.enter(*parent_);
  return --pending_ != 0;
}

inline void combinator::begin_later(resumable& node) {
  combinator& self = *static_cast<begin_node&>(node).owner;
  self.begin_children();
  self.let_go();
}

inline void child_strand::end() noexcept {
  of_->child_ended(*this);
}

inline strand& child_strand::on_behalf_of() noexcept { return of_->parent().on_behalf_of(); }

// A child that waits for one thing. Kept as in inner_operation; Checked: somebody said `!`, its errors are failures.
template <class Kept, bool Checked>
class child : public child_strand, public inner_operation<child<Kept, Checked>, Kept, wait> {
  using inner = inner_operation<child, Kept, wait>;

 public:
  static constexpr bool checked = Checked;
  using kept = Kept;

  template <class X>
  explicit child(X&& x) : inner(std::in_place, std::forward<X>(x)) {}

  void begin(combinator& of, strand& parent) {
    of_ = &of;
    place(*parent.home);
    if (!inherits_from(parent) || !inner::begin(*this)) inner_ended();
  }
  template <class Op>
  void attached([[maybe_unused]] Op& op) noexcept {
    if constexpr (requires(strand& whom) { op.on_behalf_of(whom); }) op.on_behalf_of(on_behalf_of());
    if constexpr (requires(race& with) { op.join(with); }) {
      if (race* const with = of_->racing(); with != nullptr) op.join(*with);
    }
  }
  void inner_ended() noexcept {
    switch (this->ended.state()) {
      case outcome_state::value: how = Checked && holds_error(this->ended) ? fate::error : fate::value; break;
      case outcome_state::stopped: how = fate::stopped; break;
      default: how = fate::exception;
    }
    if (end_here()) child_strand::end();
  }

 private:
  // False where there is no memory.
  bool inherits_from(const strand& parent) {
    if (!parent.has_locals()) [[likely]] return true;
    catching([&] { inherit_locals(parent); },
             [&](std::exception_ptr no_memory) { this->ended.set_exception(std::move(no_memory)); });
    return this->ended.state() != outcome_state::exception;
  }
};

}  // namespace cordage::detail
