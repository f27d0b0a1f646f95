// Where suspended work goes on: the contract of executors, and wake().
#pragma once

#include <cordage/context/resumable.hpp>
#include <cordage/strands/clock.hpp>

namespace cordage {

// Runs nodes, each exactly once per schedule, from a loop of its own and never inside schedule or post.
//
// An executor outlives every node that names it as home.
class executor {
 public:
  // The node goes on here as soon as its turn comes. Any thread, but not from a signal handler.
  virtual void schedule(resumable& node) noexcept = 0;

  // The same from anywhere, a signal handler included: never locks, never allocates.
  virtual void post(resumable& node) noexcept = 0;

  // The time by which strands of this executor sleep.
  virtual detail::clock& time() noexcept = 0;

 protected:
  ~executor() = default;
};

namespace detail {

// What every completer calls: the node goes on at its home, later. The node may be gone when this returns.
inline void wake(resumable& node) noexcept { node.home->schedule(node); }

}  // namespace detail
}  // namespace cordage
