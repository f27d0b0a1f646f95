// The strand block: what is known about one logical thread of control, a spawned task or fiber with everything it
// awaits. There is one per spawn and per concurrent child, never one per frame.
#pragma once

#include <cstdint>
#include <string_view>

#include <cordage/base/atomic.hpp>
#include <cordage/base/config.hpp>
#include <cordage/base/intrusive_list.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/onlooker.hpp>

namespace cordage::detail {

struct wait;
struct short_name;

// How to deal with a wait without knowing its operation. One constant per kind of operation and of waiter.
struct wait_type {
  cancel_result (*cancel)(wait&) noexcept;  // asks the operation
  void (*stopped)(wait&) noexcept;          // the operation was withdrawn: completes the wait as stopped
  bool (*start)(wait&) noexcept;            // fibers: starts the operation once the stack has been left
  const char* waits_for;                    // the operation's name, for whoever looks from outside
  void (*shown)(wait&, onlooker&) = nullptr;  // the rest, for whoever looks from inside; null where there is none
};

// A strand's current wait: the node that the operation will wake. It lives in a coroutine's frame or a fiber's
// control block.
struct wait : resumable {
  const wait_type* type;
};

enum class strand_kind : unsigned char { task, fiber };

// Created and ended on its executor, where `waiting_on` belongs to it; request_stop may come from anywhere.
//
// It is kept alive by references: one for running, one for a join_handle. A stop that is on its way keeps a strand from
// ending before the walk has arrived, and so its runtime from ending.
class strand : public list_hook<strand> {
 public:
  strand(executor& where, strand_kind kind) noexcept : home(&where), kind_(kind) {
    stop_walk_.run = walk, stop_walk_.home = &where;
  }
  strand(const strand&) = delete;
  strand& operator=(const strand&) = delete;

  // Relaxed is enough: whoever requests a stop also posts the walk to this strand's executor. A wait that misses the
  // word has published itself before the walk looks, since both run there.
  bool stopping() const noexcept { return (word_.load(memory_order_relaxed) & stop_bit) != 0; }

  // Asks the strand to stop: its current wait, or its next, completes as stopped. False if it had been asked before
  // or has ended. From anywhere, a signal handler included, by whoever holds a reference.
  bool request_stop() noexcept;

  void retain() noexcept { references_.fetch_add(1, memory_order_relaxed); }
  void release() noexcept;

  strand_kind kind() const noexcept { return kind_; }

  // For whoever looks, on the executor. The name is empty without one, and for fibers, whose stacks have it.
  std::string_view given_name() const noexcept;
  // It has its outcome; only a walk that is on its way keeps it.
  bool has_ended() const noexcept { return (word_.load(memory_order_relaxed) & ended_bit) != 0; }
  virtual beginning began_with() noexcept { return {}; }

  executor* const home;
  // The innermost wait of this strand that a stop could withdraw; null while it runs or is about to.
  wait* waiting_on = nullptr;

 protected:
  virtual ~strand() {
    if (name_ != nullptr) [[unlikely]] forget_name();
  }
  // Copied, and cut to what fits; there is none where there is no memory for it. For tasks: a fiber's stack has its name.
  CORDAGE_RARELY_CALLED void set_name(std::string_view given) noexcept;
  virtual void destroy() noexcept = 0;  // nobody holds a reference any more
  virtual void end() noexcept = 0;      // its outcome is known and no walk is on its way

  // When the outcome is known: ends the strand, now or when the walk that is on its way has arrived.
  void end_when_walked() noexcept {
    // Relaxed: a request that this does not see finds the strand ended and posts nothing.
    if ((word_.fetch_or(ended_bit, memory_order_relaxed) & stop_bit) == 0) return end();
    if (walked_) end_stopped();
  }

 private:
  static void walk(resumable& node);

  CORDAGE_RARELY_CALLED void forget_name() noexcept;

  void end_stopped() noexcept {
    home->stopping_ended();
    end();
  }

  // Bits: a stop was requested, set by the first request_stop, read by the strand's waits; the strand has its outcome,
  // set by its executor.
  static constexpr std::uint32_t stop_bit = 1;
  static constexpr std::uint32_t ended_bit = 2;
  atomic<std::uint32_t> word_{0};
  // Counts the references. An increment needs no order since its maker holds one already; the decrements are
  // acquire-release among each other, so that the last one sees all that the others did.
  atomic<std::uint32_t> references_{1};
  struct walk_node : resumable {
    strand* owner = nullptr;
  } stop_walk_;
  bool walked_ = false;  // the walk has arrived; the executor's own
  const strand_kind kind_;
  short_name* name_ = nullptr;
};

inline bool strand::request_stop() noexcept {
  // Relaxed: the post below publishes; see stopping().
  if (word_.fetch_or(stop_bit, memory_order_relaxed) != 0) return false;
  home->strand_stopping();
  stop_walk_.owner = this;
  home->post(stop_walk_);
  return true;
}

inline void strand::release() noexcept {
  // The last holder needs no locked instruction: with one reference left, and it ours, nobody can add another.
  if (references_.load(memory_order_acquire) == 1 || references_.fetch_sub(1, memory_order_acq_rel) == 1) destroy();
}

// On the strand's executor. Completion beats stop: a wait whose operation has completed, or can no longer be
// withdrawn, goes on in its own time and the next one stops.
inline void strand::walk(resumable& node) {
  strand& s = *static_cast<walk_node&>(node).owner;
  s.walked_ = true;
  if ((s.word_.load(memory_order_relaxed) & ended_bit) != 0) return s.end_stopped();
  wait* const current = s.waiting_on;
  if (current == nullptr || current->type->cancel(*current) == cancel_result::too_late) return;
  s.waiting_on = nullptr;
  current->type->stopped(*current);
}

}  // namespace cordage::detail
