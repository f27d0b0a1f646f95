// Where suspended work goes on: the contract of executors, and wake().
#pragma once

#include <cstdint>

#include <cordage/base/atomic.hpp>
#include <cordage/base/intrusive_list.hpp>
#include <cordage/base/intrusive_queue.hpp>
#include <cordage/context/resumable.hpp>
#include <cordage/strands/clock.hpp>

namespace cordage {

namespace detail {
class strand;
class strand_group;
}

// Runs nodes, each exactly once per schedule, by run_node from a loop of its own and never inside schedule or post.
//
// An executor outlives every node that names it as home.
class executor {
 public:
  // How many operations that are ready a strand may take in one of its turns, before others get theirs.
  static constexpr int turn_budget = 64;

  executor() noexcept = default;
  executor(const executor&) = delete;
  executor& operator=(const executor&) = delete;

  // The node goes on here as soon as its turn comes. Any thread, but not from a signal handler.
  virtual void schedule(resumable& node) noexcept = 0;

  // The same from anywhere, a signal handler included: never locks, never allocates.
  virtual void post(resumable& node) noexcept = 0;

  // The time by which strands of this executor sleep.
  virtual detail::clock& time() noexcept = 0;

  // For awaiters, on the executor: takes one operation's worth from the budget of the turn; false if it is spent.
  bool spend() noexcept { return --budget_ > 0; }

  // Whether any strand that is at home here was asked to stop and has not ended. Nearly always false, and then no wait
  // has to look at its own strand's word: one cache line less in every turn. Relaxed, see strand::stopping.
  bool any_stopping() const noexcept { return stopping_.load(detail::memory_order_relaxed) != 0; }
  // For strands: one was asked to stop, from anywhere; it has ended.
  void strand_stopping() noexcept { stopping_.fetch_add(1, detail::memory_order_relaxed); }
  void stopping_ended() noexcept { stopping_.fetch_sub(1, detail::memory_order_relaxed); }

  // The one whose loop runs on this thread; null outside of any.
  static executor* running() noexcept { return running_; }

  // Of the strands that are at home here; on the executor. The first is its runtime's own.
  detail::intrusive_list<detail::strand_group>& groups() noexcept { return groups_; }

  // See detail::wake.
  static void wake(resumable& node) noexcept;

  // Called where a strand goes on.
  void enter(detail::strand& of) noexcept {
    if (strand_locals_in_use.load(detail::memory_order_relaxed)) [[unlikely]] current_strand = &of;
  }
 protected:
  ~executor() = default;

  // `run` is the node's. Gives how many operations that were ready the turn took, and 1 for itself.
  int run_node(resumable& node, void (*run)(resumable&)) noexcept {
    budget_ = turn_budget;
    run(node);
    return 1 + turn_budget - budget_;
  }

  // For an executor whose loop takes nodes from ready_: while running_ is this executor, on the thread of the loop,
  // wake() puts them there without a call. Others leave both alone.
  detail::intrusive_queue<resumable> ready_;
  static constinit inline thread_local executor* running_ = nullptr;

 private:
  detail::intrusive_list<detail::strand_group> groups_;
  detail::atomic<std::uint32_t> stopping_{0};  // how many strands were asked to stop and have not ended
  int budget_ = turn_budget;  // of the strand whose turn it is

 public:
  // Last, since a turn does not touch them: all that it does lies in one cache line.

  // The strand whose code runs, or ran last, for those that plain calls of that code spawn: they inherit its locals. Null
  // once it has ended; not kept up to date until a strand has locals. Relaxed: who sets the first enters its own strand.
  detail::strand* current_strand = nullptr;
  static inline constinit detail::atomic<bool> strand_locals_in_use{false};

  // How many operations are beginning at this moment, each inside the one before; see inner_operation.hpp.
  int nested_starts = 0;
};

inline void executor::wake(resumable& node) noexcept {
  if (running_ == node.home) [[likely]] {
    node.home->ready_.push(node);
  } else {
    node.home->schedule(node);
  }
}

namespace detail {

// What every completer calls: the node goes on at its home, later. The node may be gone when this returns.
inline void wake(resumable& node) noexcept { executor::wake(node); }

}  // namespace detail
}  // namespace cordage
