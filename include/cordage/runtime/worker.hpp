// A worker: one thread that runs what is ready, and sleeps in its own poller when nothing is.
//
// The loop is drawn in docs/architecture.md; run() in src/runtime/worker.cpp reads like the drawing.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <cordage/base/intrusive_list.hpp>
#include <cordage/base/intrusive_queue.hpp>
#include <cordage/context/resumable.hpp>
#include <cordage/runtime/inbox.hpp>
#include <cordage/runtime/poller.hpp>
#include <cordage/runtime/timer_wheel.hpp>
#include <cordage/strands/executor.hpp>

namespace cordage::detail {

class runtime_core;

class worker final : public executor, public list_hook<worker> {
 public:
  // With a virtual clock, which outlives the worker, or the steady one where that is null.
  worker(runtime_core& owner, std::unique_ptr<poller> sleeps_in, virtual_clock* time_passes_by) noexcept;
  ~worker();

  // The worker whose loop runs on this thread, null outside of any.
  static worker* current() noexcept { return current_; }

  // First in, first out among what this worker's own strands schedule, which mostly comes by wake().
  void schedule(resumable& node) noexcept override {
    if (current_ == this) {
      ready_.push(node);
    } else {
      post(node);
    }
  }
  void post(resumable& node) noexcept override {
    if (!inbox_.push(node)) return;
    poller_->unpark();
    // Release: partner of the acquire in the destructor. Nothing of the worker is touched afterwards.
    unparked_.fetch_add(1, memory_order_release);
  }
  clock& time() noexcept override { return timers_; }

  // Runs until `finished` is true, which is looked at when nothing is ready. Makes this thread the worker's.
  void run(const bool& finished);

  runtime_core& owner() noexcept { return owner_; }

  // Calls `stuck` whenever the worker is about to park although nothing but another thread could unpark it. Before run.
  using stuck_handler = void (*)(runtime_core&) noexcept;
  void when_stuck(stuck_handler stuck) noexcept { stuck_ = stuck; }

  poller& its_poller() noexcept { return *poller_; }

  // For whoever looks, on the worker: what has its turn after the nodes that were taken from the queue with the one that
  // runs, which nobody but the loop knows.
  template <class F>
  void each_ready(F&& f) const {
    ready_.for_each(f);
  }
  std::size_t timers() noexcept { return timers_.count(); }

 private:
  // How many resumptions and ready operations until the worker thinks of the poller, and how long it may leave it alone
  // when they were quick: to poll costs a system call.
  static constexpr int turns = 256;
  static constexpr std::chrono::microseconds poll_interval{50};

  resumable* take_ready() noexcept;
  void run_ready() noexcept;
  void look_outside() noexcept;
  void park() noexcept;
  bool let_time_pass() noexcept;
  bool is_stuck() noexcept;

  runtime_core& owner_;
  timer_wheel timers_;
  std::unique_ptr<poller> poller_;
  stuck_handler stuck_ = nullptr;
  // When the poller was last looked at. At first long ago, but not time_point::min(): no difference could tell.
  time_point polled_{};
  std::uint32_t unparks_owed_ = 0;  // how often somebody found the worker parked and undertook to unpark it

  // Written by everybody else.
  alignas(64) inbox inbox_;
  atomic<std::uint32_t> unparked_{0};  // how often that was done, counted by those who did

  static constinit inline thread_local worker* current_ = nullptr;
};

}  // namespace cordage::detail
