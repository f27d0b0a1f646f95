// How many children of a scope run at a time. Those beyond the limit wait to begin, first in, first out, and so do those
// who ask for room before they spawn.
//
// Used on the scope's executor only.
#pragma once

#include <cstddef>

#include <cordage/base/intrusive_list.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

class admission {
 public:
  explicit admission(std::size_t limit) noexcept : limit_(limit) { next_turn_.run = ask_again, next_turn_.self = this; }
  admission(const admission&) = delete;
  admission& operator=(const admission&) = delete;
  ~admission();

  std::size_t limit() const noexcept { return limit_; }

  // Makes sure that one more child can be admitted; false where there is no memory to let it wait.
  [[nodiscard]] bool prepare() noexcept { return has_room() || spare_ != nullptr || make_spare(); }

  // After prepare: the child begins now, or when there is room. One that is stopped while it waits to begin is let in
  // at once, whatever the limit, since it only ends. So whatever ends has been let in.
  void admit(strand& child, resumable& first_node) noexcept {
    if (has_room()) [[likely]] {
      let_in(child, first_node);
    } else {
      wait_to_begin(child, first_node);
    }
  }

  // A child has ended.
  void child_ended() noexcept {
    --running_;
    if (has_room()) fill();
  }

  // All children have ended: wakes the node, which may destroy this, as soon as no node of this one is in a queue.
  void wake_at_rest(resumable& node) noexcept {
    if (telling_) {
      wakes_at_rest_ = &node;
    } else {
      wake(node);
    }
  }

  // Completes when a child could begin at once. Those who wait are told one at a time, each after the one before has had
  // its turn and has spawned or not: so nobody is told of room that another one is about to take, and room of which one
  // was told who makes no use of it, because it was stopped perhaps, goes to the next.
  class room_operation : list_hook<room_operation> {
   public:
    static constexpr const char* name = "room in a scope";

    explicit room_operation(admission& in) noexcept : in_(&in) {}
    // Movable until it is started.
    room_operation(room_operation&& other) noexcept : in_(other.in_) {}

    bool ready() const noexcept { return in_->has_room() && in_->askers_.empty() && !in_->telling_; }
    bool start(resumable& node) noexcept {
      waiter_ = &node;
      in_->askers_.push_back(*this);
      return true;
    }
    cancel_result cancel() noexcept {
      if (!linked()) return cancel_result::too_late;
      unlink();
      return cancel_result::withdrawn;
    }
    void get() const noexcept {}

   private:
    friend class admission;
    friend class intrusive_list<room_operation>;

    admission* in_;
    resumable* waiter_ = nullptr;
  };

 private:
  // What a strand waits for that has not begun; it belongs to the admission while it waits.
  struct waiting_child;

  struct turn : resumable {
    admission* self = nullptr;
  };

  bool has_room() const noexcept { return running_ < limit_; }

  void let_in(strand& child, resumable& first_node) noexcept {
    ++running_;
    child.home->schedule(first_node);
  }

  void wait_to_begin(strand& child, resumable& first_node) noexcept;
  bool make_spare() noexcept;
  void fill() noexcept;
  void tell_next() noexcept;
  static void ask_again(resumable& node);
  static void give_back(waiting_child& place) noexcept;

  const std::size_t limit_;
  std::size_t running_ = 0;  // children that were let in and have not ended
  intrusive_list<waiting_child> waiting_;  // nobody while there is room
  intrusive_list<room_operation> askers_;
  waiting_child* spare_ = nullptr;
  turn next_turn_;
  bool telling_ = false;  // next_turn_ is in a queue, behind the one that was told
  resumable* wakes_at_rest_ = nullptr;
};

}  // namespace cordage::detail
