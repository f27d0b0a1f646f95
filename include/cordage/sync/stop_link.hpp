// The operation behind with_stop: a child that a stop_source can stop, too. Used on the executor of the strand that awaits it;
// the source posts to there from anywhere.
#pragma once

#include <utility>

#include <cordage/strands/stop_state.hpp>
#include <cordage/sync/combinator.hpp>

namespace cordage::detail {

// Holds a reference to the state.
template <class Child>
class stop_link_operation final : public combinator {
 public:
  static constexpr const char* name = "with_stop";

  template <class Token, class X>
  stop_link_operation(Token&& token, X&& x)
      : child_(std::forward<X>(x)), state_(std::forward<Token>(token).release()) {}
  ~stop_link_operation() {
    if (state_ != nullptr) state_->release();
  }

  // Without a child that has begun: the stop was earlier.
  bool stopped() const noexcept { return child_.how == fate::stopped || child_.how == fate::running; }
  decltype(auto) get() { return child_.ended.take(); }

 private:
  struct told_node : resumable {
    stop_link_operation* owner;
  };

  void begin_children() override {
    if (stopping_children()) return;  // before it had its turn
    if (state_ == nullptr) return begin_child(child_);
    if (state_->stop_requested()) return;
    told_.owner = this, told_.run = told, told_.home = parent().home;
    catching([&] { place_ = state_->add(told_); },
             [&](std::exception_ptr no_memory) {
               child_.ended.set_exception(std::move(no_memory));
               child_.how = fate::exception;
             });
    if (place_ == nullptr) return;  // for lack of memory, or since the stop came just now
    hold();
    begin_child(child_);
  }

  // A node that is on its way is waited for.
  void judge(child_strand&) noexcept override {
    if (place_ == nullptr || !state_->leave(*place_)) return;
    state_->put_back(*std::exchange(place_, nullptr));
    drop_hold();
  }

  static void told(resumable& node) {
    stop_link_operation& self = *static_cast<told_node&>(node).owner;
    self.state_->put_back(*std::exchange(self.place_, nullptr));
    self.stop_children();
    self.let_go();
  }

  Child child_;
  stop_state* state_;
  stop_state::place* place_ = nullptr;
  told_node told_;
};

}  // namespace cordage::detail
