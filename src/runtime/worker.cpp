#include <cordage/runtime/worker.hpp>

#include <mutex>
#include <thread>

#include <cordage/context/exception_state.hpp>
#include <cordage/strands/coroutine_base.hpp>

namespace cordage::detail {

// All that there are, for whoever looks from outside.
struct worker_registry {
  std::mutex mutex;
  intrusive_list<worker> workers;
};
constinit worker_registry all_workers;

worker::worker(runtime_core& owner, std::unique_ptr<poller> sleeps_in, virtual_clock* time_passes_by) noexcept
    : owner_(owner), timers_(time_passes_by), poller_(std::move(sleeps_in)) {
  const std::lock_guard lock(all_workers.mutex);
  all_workers.workers.push_back(*this);
}

// Whoever pushed a node while the worker was parked goes on to unpark it, although the worker may have woken by itself,
// run the node and come to its end meanwhile.
worker::~worker() {
  while (unparked_.load(memory_order_acquire) != unparks_owed_) std::this_thread::yield();
  const std::lock_guard lock(all_workers.mutex);
  unlink();
}

void worker::run(const bool& finished) {
  [[maybe_unused]] const exception_free nothing_in_flight;
  const coroutine_free nothing_resumed;
  worker* const outer = std::exchange(current_, this);
  executor* const outer_executor = std::exchange(running_, this);
  while (!finished) {
    run_ready();
    if (!finished) park();
  }
  running_ = outer_executor;
  current_ = outer;
}

// What is ready. Before it has its turn, what was begun in the turns before is under way outside, and what is complete by
// then has its turn, too. Where nothing is ready the poll that waits does the same.
resumable* worker::take_ready() noexcept {
  if (poller_->keeps_something_back() && !ready_.empty()) [[unlikely]] poller_->poll(time_point::min());
  return ready_.take_all();
}

// Run what is ready, oldest first. The nodes are taken from the queue all at once: while they run nothing is added to
// them, so each next one is known, and what it runs is loaded a turn before it is needed. What others have posted, a stop
// perhaps, takes its place in the queue at once: to see that there is none costs a load.
void worker::run_ready() noexcept {
  int left = turns;
  while (resumable* next = take_ready()) {
    auto run_next = next->run;
    do {
      resumable& node = *next;
      const auto run = run_next;
      next = node.next;
      if (next != nullptr) run_next = next->run;
      left -= run_node(node, run);
      if (!inbox_.empty()) [[unlikely]] inbox_.take(ready_);
      if (left <= 0) [[unlikely]] {
        look_outside();
        left = turns;
      }
    } while (next != nullptr);
  }
}

// Busy: look for time that has passed and for events, without waiting for them, unless that was done just now. Virtual
// time, which stands still, does not tell.
void worker::look_outside() noexcept {
  const time_point at = timers_.now();
  if (at - polled_ < poll_interval && !timers_.is_virtual()) return;
  polled_ = at;
  timers_.advance(at);
  poller_->poll(time_point::min());
}

// Nothing is ready: announce it, sleep until an event, the next timer or a node from outside.
void worker::park() noexcept {
  if (timers_.is_virtual() && let_time_pass()) [[unlikely]] return;
  if (stuck_ != nullptr && is_stuck()) [[unlikely]] stuck_(owner_);
  const bool announced = inbox_.announce_parking();
  if (announced) poller_->poll(timers_.next());
  const bool arrived = inbox_.take(ready_);
  if (announced && arrived) ++unparks_owed_;
  polled_ = timers_.now();
  timers_.advance(polled_);
}

// Nothing is ready, and nothing will be that this worker knows of.
bool worker::is_stuck() noexcept {
  return inbox_.empty() && timers_.next() == time_point::max() && !poller_->waits_for_events();
}

// Virtual time passes when nothing is ready and nothing has come from outside. False if no timer waits for that.
bool worker::let_time_pass() noexcept {
  if (timers_.next() == time_point::max()) return false;
  do {
    poller_->poll(time_point::min());
  } while (poller_->keeps_something_back() && ready_.empty());
  inbox_.take(ready_);
  if (ready_.empty()) timers_.jump();
  return true;
}

}  // namespace cordage::detail
