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

// Run what is ready, oldest first, but not for ever.
void worker::run_ready(const bool& finished) noexcept {
  for (int left = turns; left > 0 && !ready_.empty() && !finished; --left) {
    resumable& node = ready_.pop();
    node.run(node);
  }
}

// Busy: look at what has come from outside, without waiting for it.
void worker::look_outside() noexcept {
  if (!inbox_.empty()) inbox_.take(ready_);
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
