// The strand block: what is known about one logical thread of control, a spawned task or fiber with everything it
// awaits. There is one per spawn and per concurrent child, never one per frame.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <cordage/base/atomic.hpp>
#include <cordage/base/config.hpp>
#include <cordage/base/intrusive_list.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/onlooker.hpp>

namespace cordage::detail {

struct wait;
struct short_name;
class stop_state;
class local_value;
class local_values;

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

// While one is up on a strand, no wait of the strand sees a stop. They nest: the last to be raised is the first to be
// lowered, but for one that lets the stop through early.
struct stop_shield {
  stop_shield* outer = nullptr;
  // Told when a stop arrives at the strand, if anybody is to know.
  void (*stop_arrived)(stop_shield&) noexcept = nullptr;
};

// Created and ended on its executor, where `waiting_on` belongs to it; request_stop may come from anywhere.
//
// It is kept alive by references: one for running, one for a join_handle. A stop that is on its way keeps a strand from
// ending before the walk has arrived, and so its runtime from ending.
class strand : public list_hook<strand> {
 public:
  strand(executor& where, strand_kind kind) noexcept : strand(kind) { place(where); }
  strand(const strand&) = delete;
  strand& operator=(const strand&) = delete;

  // Whether its waits are to end. Relaxed is enough: whoever requests a stop also posts the walk to this strand's executor.
  // A wait that misses the word has published itself before the walk looks, since both run there.
  bool stopping() const noexcept { return stop_requested() && shields_ == nullptr; }
  bool stop_requested() const noexcept { return (word_.load(memory_order_relaxed) & stop_bit) != 0; }

  // Asks the strand to stop: its current wait, or its next, completes as stopped. False if it had been asked before
  // or has ended. From anywhere, a signal handler included, by whoever holds a reference.
  bool request_stop() noexcept;

  void retain() noexcept { references_.fetch_add(1, memory_order_relaxed); }
  void release() noexcept;

  // What tells others of its stops; made when it is first asked for. On the executor. Throws std::bad_alloc.
  stop_state& observed();

  // The values of strand_locals, see there; on the executor. set_local takes the reference over, and throws std::bad_alloc.
  const local_value* find_local(const void* key) const noexcept;
  void set_local(const void* key, local_value& value);
  bool has_locals() const noexcept { return locals_ != nullptr; }
  // What `from` has, before this begins. Throws std::bad_alloc.
  void inherit_locals(const strand& from) {
    if (from.has_locals()) [[unlikely]] copy_locals(from);
  }

  strand_kind kind() const noexcept { return kind_; }

  // For whoever looks, on the executor. The name is empty without one, and for fibers, whose stacks have it.
  std::string_view given_name() const noexcept;
  // It has its outcome; only a walk that is on its way keeps it.
  bool has_ended() const noexcept { return (word_.load(memory_order_relaxed) & ended_bit) != 0; }
  virtual beginning began_with() noexcept { return {}; }
  // Itself, or the strand in whose place it runs, as the child of an operation of that strand.
  virtual strand& on_behalf_of() noexcept { return *this; }

  // On the executor, between two waits.
  void raise(stop_shield& up) noexcept { up.outer = std::exchange(shields_, &up); }
  void lower(stop_shield& down) noexcept;
  // On the executor, while the strand waits: as if the stop had arrived only now.
  void let_stop_through(stop_shield& of) noexcept {
    lower(of);
    home->enter(*this);
    if (stopping()) stop_wait();
  }

  executor* home;
  // The innermost wait of this strand that a stop could withdraw; null while it runs or is about to.
  wait* waiting_on = nullptr;

 protected:
  // One that is placed later, before it begins.
  explicit strand(strand_kind kind) noexcept : kind_(kind) { stop_walk_.run = walk; }
  void place(executor& where) noexcept { home = stop_walk_.home = &where; }

  virtual ~strand() {
    if (name_ != nullptr || observed_ != nullptr || locals_ != nullptr) [[unlikely]] forget_extras();
  }
  // Copied, and cut to what fits; there is none where there is no memory for it. For tasks: a fiber's stack has its name.
  CORDAGE_RARELY_CALLED void set_name(std::string_view given) noexcept;
  virtual void destroy() noexcept = 0;  // nobody holds a reference any more
  virtual void end() noexcept = 0;      // its outcome is known and no walk is on its way

  // When the outcome is known: ends the strand, now or when the walk that is on its way has arrived.
  void end_when_walked() noexcept {
    forget_current();
    // Relaxed: a request that this does not see finds the strand ended and posts nothing.
    if ((word_.fetch_or(ended_bit, memory_order_relaxed) & stop_bit) == 0) return end();
    if (walked_) end_stopped();
  }
  // The same for a strand whose stops are requested on its executor only, without a locked instruction. True: it has ended
  // now, and whoever calls does what end() does; otherwise end() will be called.
  bool end_here() noexcept {
    forget_current();
    const std::uint32_t word = word_.load(memory_order_relaxed);
    word_.store(word | ended_bit, memory_order_relaxed);
    if ((word & stop_bit) == 0) [[likely]] return true;
    if (walked_) home->stopping_ended();
    return walked_;
  }

 private:
  static void walk(resumable& node);

  void stop_wait() noexcept;
  void forget_current() noexcept {
    if (home->current_strand == this) home->current_strand = nullptr;
  }
  CORDAGE_RARELY_CALLED void forget_extras() noexcept;
  CORDAGE_RARELY_THROWS void copy_locals(const strand& from);
  CORDAGE_RARELY_CALLED void tell_observers() noexcept;

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
  stop_shield* shields_ = nullptr;  // the innermost
  short_name* name_ = nullptr;
  stop_state* observed_ = nullptr;
  local_values* locals_ = nullptr;
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
  if (s.observed_ != nullptr) [[unlikely]] s.tell_observers();
  if ((s.word_.load(memory_order_relaxed) & ended_bit) != 0) return s.end_stopped();
  s.home->enter(s);
  if (s.shields_ == nullptr) return s.stop_wait();
  for (stop_shield* each = s.shields_; each != nullptr;) {
    stop_shield& told = *each;
    each = told.outer;  // it may be lowered meanwhile
    if (told.stop_arrived != nullptr) told.stop_arrived(told);
  }
}

inline void strand::stop_wait() noexcept {
  wait* const current = waiting_on;
  if (current == nullptr || current->type->cancel(*current) == cancel_result::too_late) return;
  waiting_on = nullptr;
  current->type->stopped(*current);
}

// Mostly the innermost.
inline void strand::lower(stop_shield& down) noexcept {
  stop_shield** at = &shields_;
  while (*at != &down) at = &(*at)->outer;
  *at = down.outer;
}

}  // namespace cordage::detail
