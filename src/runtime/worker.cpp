#include <cordage/runtime/worker.hpp>

namespace cordage::detail {

constinit thread_local worker* worker::current_ = nullptr;

void worker::run(const bool& finished) {
  worker* const outer = std::exchange(current_, this);
  while (!finished) {
    run_ready(finished);
    if (finished) break;
    if (ready_.empty()) {
      park();
    } else {
      look_outside();
    }
  }
  current_ = outer;
}

// Run what is ready, oldest first, but not for ever. What others have posted, a stop perhaps, takes its place in the
// queue at once: to see that there is none costs a load.
void worker::run_ready(const bool& finished) noexcept {
  for (int left = turns; left > 0 && !ready_.empty() && !finished; --left) {
    resumable& node = ready_.pop();
    node.run(node);
    if (!inbox_.empty()) [[unlikely]] inbox_.take(ready_);
  }
}

// Busy: look for time that has passed and for events, without waiting for them, unless that was done just now.
void worker::look_outside() noexcept {
  const time_point at = timers_.now();
  if (at - polled_ < poll_interval) return;
  polled_ = at;
  timers_.advance(at);
  poller_->poll(time_point::min());
}

// Nothing is ready: announce it, sleep until an event, the next timer or a node from outside.
void worker::park() noexcept {
  if (inbox_.announce_parking()) poller_->poll(timers_.next());
  inbox_.take(ready_);
  polled_ = timers_.now();
  timers_.advance(polled_);
}

}  // namespace cordage::detail
