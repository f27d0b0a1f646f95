#include <cordage/sync/admission.hpp>

#include <new>
#include <utility>

#include <cordage/strands/frame_recycler.hpp>

namespace cordage::detail {

// To a stop it looks like any wait: it can be withdrawn, and then the strand ends where it would have begun.
struct admission::waiting_child : wait, list_hook<waiting_child> {
  explicit waiting_child(admission& where) noexcept : in(&where) {
    static constexpr wait_type to_begin{cancel, stopped, nullptr, "its turn to begin"};
    run = nullptr;
    type = &to_begin;
  }

  static cancel_result cancel(wait& w) noexcept {
    static_cast<waiting_child&>(w).unlink();
    return cancel_result::withdrawn;
  }
  static void stopped(wait& w) noexcept { static_cast<waiting_child&>(w).go(); }

  void go() noexcept {
    in->let_in(*child, *first_node);
    give_back(*this);
  }

  admission* const in;
  strand* child = nullptr;
  resumable* first_node = nullptr;
};

admission::~admission() {
  if (spare_ != nullptr) give_back(*spare_);
}

bool admission::make_spare() noexcept {
  void* const memory = frame_recycler::allocate(sizeof(waiting_child));
  if (memory != nullptr) spare_ = ::new (memory) waiting_child(*this);
  return memory != nullptr;
}

void admission::give_back(waiting_child& place) noexcept {
  place.~waiting_child();
  frame_recycler::deallocate(&place, sizeof(waiting_child));
}

void admission::wait_to_begin(strand& child, resumable& first_node) noexcept {
  waiting_child& place = *std::exchange(spare_, nullptr);
  place.child = &child;
  place.first_node = &first_node;
  place.home = child.home;
  child.waiting_on = &place;
  waiting_.push_back(place);
}

// Children that were spawned go first.
void admission::fill() noexcept {
  while (has_room() && !waiting_.empty()) {
    waiting_child& next = waiting_.front();
    next.unlink();
    next.child->waiting_on = nullptr;
    next.go();
  }
  tell_next();
}

void admission::tell_next() noexcept {
  if (telling_ || askers_.empty() || !has_room()) return;
  room_operation& next = askers_.front();
  next.unlink();
  next_turn_.home = next.waiter_->home;
  wake(*next.waiter_);
  telling_ = true;
  wake(next_turn_);
}

// Behind the turn of the one that was told.
void admission::ask_again(resumable& node) {
  admission& self = *static_cast<turn&>(node).self;
  self.telling_ = false;
  if (self.wakes_at_rest_ != nullptr) return wake(*self.wakes_at_rest_);
  self.tell_next();
}

}  // namespace cordage::detail
