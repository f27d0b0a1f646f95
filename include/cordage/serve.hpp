// tcp::serve: accept connections and run a handler for each.
//
//   int main() { cordage::run(!cordage::tcp::serve("127.0.0.1:7007", echo)); }
//
// The handler is called with each tcp::stream, and runs by the one rule: as a task if it returns one, on a fiber
// otherwise. There is one handler; it outlives every connection. The failure of one connection's handler ends that
// connection and no other. A pause is made, and the listener kept, while there are no descriptors for more connections.
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#include <cordage/base/closure.hpp>
#include <cordage/net/server.hpp>
#include <cordage/task.hpp>
#include <cordage/tcp.hpp>

namespace cordage::tcp {

namespace detail {

template <class Handler, class OnError>
consteval void check_functions() {
  static_assert(std::invocable<std::decay_t<Handler>&, stream>, "tcp::serve: the handler is called with a cordage::tcp::stream");
  static_assert(std::invocable<std::decay_t<OnError>&, const failure&>,
                "tcp::serve: on_error is called with a const cordage::failure&");
  cordage::detail::require_safe_closure<Handler>();
  cordage::detail::require_safe_closure<OnError>();
}

template <class Handler, class OnError>
async<> serve(result<listener> accepts_from, Handler handler, serve_options options, OnError on_error) {
  if (!accepts_from) co_return cordage::detail::fail(accepts_from.error());
  server_of<Handler, OnError> server(std::move(*accepts_from), options, handler, on_error);
  co_return co_await server;
}

result<listener> bind_text(std::string_view where);

}  // namespace detail

// Serves connections of a listener, which it closes at the end, until accepting fails for good, which is the error it
// completes with, or until it is stopped: then it drains, see serve_options::drain_for, and completes as stopped.
// on_error(const failure&) is called on the worker with what a handler failed with and must not throw; without one,
// failures of the peer's making are dropped and others written to standard error.
template <class Handler, class OnError = detail::report_failure>
[[nodiscard]] CORDAGE_COROUTINE_WRAPPER async<> serve(listener accepts_from, Handler&& handler, const serve_options& options = {},
                            OnError&& on_error = {}) {
  detail::check_functions<Handler, OnError>();
  return detail::serve<std::decay_t<Handler>, std::decay_t<OnError>>(
      std::move(accepts_from), std::forward<Handler>(handler), options, std::forward<OnError>(on_error));
}

// The same on "ADDRESS:PORT", as endpoint::parse takes it. Binds at once; a failure to is what awaiting gives.
template <class Handler, class OnError = detail::report_failure>
[[nodiscard]] CORDAGE_COROUTINE_WRAPPER async<> serve(std::string_view where, Handler&& handler, const serve_options& options = {},
                            OnError&& on_error = {}) {
  detail::check_functions<Handler, OnError>();
  return detail::serve<std::decay_t<Handler>, std::decay_t<OnError>>(
      detail::bind_text(where), std::forward<Handler>(handler), options, std::forward<OnError>(on_error));
}

}  // namespace cordage::tcp
