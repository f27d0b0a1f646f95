#include <algorithm>

#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/net/server.hpp>

namespace cordage::tcp::detail {
namespace {

constexpr std::chrono::milliseconds shortest_pause{5};
constexpr std::chrono::milliseconds longest_pause{200};

// So many looks without activity, each a quarter of the time after the one before, make a connection idle.
constexpr int looks_until_idle = 4;

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
  bool begun = false;
  cordage::detail::catching(
      [&] {
        launch(cordage::detail::make_strand(*home_, *this, {}, cordage::detail::left_to_group{},
                                            [this] { return accept_connections(); }));
        begun = true;
      },
      [&](const std::exception_ptr&) { failure_ = errc::out_of_memory; });
  if (begun && options_.idle_timeout > options_.idle_timeout.zero())
    set_alarm(look_for_idle_, options_.idle_timeout / looks_until_idle);
  return begun;
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
      if (draining_) end_of_receiving(*peer->its_descriptor());  // it was accepted when the others were told
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
  set_alarm(end_of_drain_, options_.drain_for);
}

void server::set_alarm(alarm& what, std::chrono::nanoseconds after) noexcept {
  cordage::detail::clock& time = home_->time();
  what.home = home_;
  what.its_timer.deadline = cordage::detail::later(time.now(), after);
  what.its_timer.waiter = &what;
  what.set = true;
  time.start(what.its_timer);
}

bool server::unset(alarm& what) noexcept {
  if (what.set && home_->time().cancel(what.its_timer)) what.set = false;
  return !what.set;
}

void server::drained(resumable& node) {
  server& self = *static_cast<alarm&>(node).self;
  self.end_of_drain_.set = false;
  self.stop_children();
  self.check_ended();
}

void server::shut_down_idle(resumable& node) {
  server& self = *static_cast<alarm&>(node).self;
  self.look_for_idle_.set = false;
  if (self.live() == 0) return self.check_ended();
  self.connections_.for_each([](descriptor& connection) {
    if (std::exchange(connection.active, false)) {
      connection.idle_looks = 0;
    } else if (connection.idle_looks < looks_until_idle && ++connection.idle_looks == looks_until_idle) {
      shut_down(connection);
    }
  });
  self.set_alarm(self.look_for_idle_, self.options_.idle_timeout / looks_until_idle);
}

void server::child_ended(cordage::detail::joinable& child, const failure& failed, bool) noexcept {
  dismiss(child);
  // Only the acceptor's failures come here; those of connections go to on_error.
  if (failed && failure_ == error{}) failure_ = failed.exception() ? errc::out_of_memory : failed.error();
  if (failure_ != error{}) begin_drain();
  if (waits_for_room_ != nullptr) cordage::detail::wake(*std::exchange(waits_for_room_, nullptr));
  check_ended();
}

// The server has ended when its last strand has, and no alarm is on its way, which would come here again.
void server::check_ended() noexcept {
  if (live() != 0) return;
  const bool drain_at_rest = unset(end_of_drain_);
  const bool idle_at_rest = unset(look_for_idle_);
  if (drain_at_rest && idle_at_rest) cordage::detail::wake(*waiter_);
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
