#include <algorithm>

#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/net/server.hpp>

namespace cordage::tcp::detail {
namespace {

constexpr std::chrono::milliseconds shortest_pause{5};
constexpr std::chrono::milliseconds longest_pause{200};

// The process or the system has no descriptors or memory for another connection at the moment. Accepting can go on
// later; until then connections wait in the listener's backlog.
bool passes_with_time(const error& failed) noexcept {
  return failed == std::errc::too_many_files_open || failed == std::errc::too_many_files_open_in_system ||
         failed == std::errc::no_buffer_space || failed == std::errc::not_enough_memory;
}

bool made_by_peer(const error& failed) noexcept {
  return failed == std::errc::connection_reset || failed == std::errc::broken_pipe ||
         failed == std::errc::connection_aborted || failed == std::errc::timed_out ||
         failed == std::errc::not_connected || failed == std::errc::host_unreachable;
}

}  // namespace

bool server::start(resumable& node) {
  home_ = node.home;
  waiter_ = &node;
  begin_on(*home_);
  launch(cordage::detail::make_strand(*home_, *this, {}, cordage::detail::left_to_group{},
                                      [this] { return accept_connections(); }));
  return true;
}

task<> server::accept_connections() {
  auto pause = shortest_pause;
  for (;;) {
    room_operation room{this};
    co_await room;
    auto peer = co_await listener_.accept();
    if (peer) {
      pause = shortest_pause;
      connections_.push_back(*peer->its_descriptor());
      cordage::detail::catching([&] { serve_connection(std::move(*peer)); },
                                [&](std::exception_ptr why) { refused(failure(std::move(why))); });
    } else if (passes_with_time(peer.error())) {
      co_await sleep_for(pause);
      pause = std::min(pause * 2, longest_pause);
    } else {
      // errc::closed is our own doing, when the server drains.
      if (!draining_) failure_ = peer.error();
      co_return;
    }
  }
}

cancel_result server::cancel() noexcept {
  stop_requested_ = true;
  begin_drain();
  return cancel_result::too_late;
}

void server::begin_drain() noexcept {
  if (std::exchange(draining_, true)) return;
  listener_.close();
  connections_.for_each([](descriptor& connection) { end_of_receiving(connection); });
  if (options_.drain_for <= options_.drain_for.zero()) return stop_children();
  if (waits_for_room_ != nullptr) cordage::detail::wake(*std::exchange(waits_for_room_, nullptr));
  cordage::detail::clock& time = home_->time();
  drain_timer_.deadline = time.now() + options_.drain_for;
  drain_timer_.waiter = &drain_node_;
  drain_node_.home = home_;
  time.start(drain_timer_);
}

void server::drained(resumable& node) {
  server& self = *static_cast<drain_node&>(node).self;
  self.drain_timer_.waiter = nullptr;
  self.stop_children();
  self.check_ended();
}

void server::child_ended(cordage::detail::joinable& child, const failure& failed, bool) noexcept {
  dismiss(child);
  // Only the acceptor's failures come here; those of connections go to on_error.
  if (failed && failure_ == error{}) failure_ = failed.exception() ? errc::out_of_memory : failed.error();
  if (failure_ != error{}) begin_drain();
  if (waits_for_room_ != nullptr) cordage::detail::wake(*std::exchange(waits_for_room_, nullptr));
  check_ended();
}

// The server has ended when its last strand has, and the timer is at rest.
void server::check_ended() noexcept {
  if (live() != 0) return;
  const bool timing = drain_timer_.waiter != nullptr;
  if (timing && !home_->time().cancel(drain_timer_)) return;  // it has fired; drained() will come here again
  cordage::detail::wake(*waiter_);
}

void report_failure::operator()(const failure& failed) const noexcept {
  error code = failed.error();
  cordage::detail::catching_special<std::system_error>(
      [&] {
        if (failed.exception() != nullptr) std::rethrow_exception(failed.exception());
      },
      [&](std::system_error& e) { code = e.code(); }, [](std::exception_ptr) {});
  if (made_by_peer(code)) return;
  cordage::detail::complain({"a connection's handler failed: ", failed.message()});
}

}  // namespace cordage::tcp::detail
