// Serve until SIGINT or SIGTERM, then drain; a second signal ends the program at once.
#pragma once

#include <csignal>
#include <optional>
#include <system_error>
#include <utility>

#include <cordage/cordage.hpp>

namespace support {

// Make it before anybody is told that there is a server to stop.
class end_signal {
 public:
  end_signal() : asked_(std::in_place, std::initializer_list<int>{SIGINT, SIGTERM}) {}

  // Completes at the first signal. From then on both have their default effect again.
  cordage::task<> wait() {
    co_await !asked_->wait();
    asked_.reset();
  }

  // Whether it has come: who drains may have something to say to its peers.
  bool given() const noexcept { return !asked_; }

 private:
  std::optional<cordage::signal_set> asked_;
};

// `until` is end_signal::wait, or what awaits that and then has something to do before the server drains.
template <class Handler>
cordage::task<> serve_until(cordage::task<> until, cordage::tcp::listener listener, Handler handler,
                            cordage::tcp::serve_options how) {
  auto server = cordage::tcp::serve(std::move(listener), handler, how);
  const auto [served, signalled] = co_await cordage::when_any(std::move(server), std::move(until));
  if (served && !*served) throw std::system_error(served->error(), "serving");
}

}  // namespace support
