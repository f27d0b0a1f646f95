// resolve NAME…: addresses of names, with c-ares. How a callback library becomes something to await.
//
// The names are asked for at the same time, each on a c-ares channel of its own, since ares_cancel ends all that a channel
// does. c-ares owns its sockets, and is told when there is something to do on one by whoever watches it: watched_descriptor.
#include <ares.h>
#include <netdb.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"

namespace {

struct options {
  std::chrono::milliseconds timeout{5000};
  std::string server;  // ADDRESS:PORT; empty for the system's
  std::vector<std::string> names;
};

constexpr const char* usage =
    "usage: resolve [--help] [--timeout TIME] [--server ADDRESS:PORT] NAME...\n"
    "  --timeout TIME         for each name, as 500ms or 5s (5s)\n"
    "  --server ADDRESS:PORT  whom to ask (the system's)\n";

class ares_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "c-ares"; }
  std::string message(int status) const override { return ares_strerror(status); }
};
const ares_category ares_errors;

std::error_code ares_error(int status) { return {status, ares_errors}; }

std::string text_of(const hostent& host) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ares_inet_ntop(host.h_addrtype, host.h_addr_list[0], text.data(), static_cast<ares_socklen_t>(text.size()));
  return text.data();
}

// What c-ares waits for: a socket of its own, or none.
struct socket_wait {
  ares_socket_t fd = ARES_SOCKET_BAD;
  bool to_write = false;
};

class channel {
 public:
  explicit channel(const std::string& server) {
    if (const int status = ares_init(&channel_); status != ARES_SUCCESS) throw std::system_error(ares_error(status));
    if (server.empty()) return;
    if (const int status = ares_set_servers_ports_csv(channel_, server.c_str()); status != ARES_SUCCESS) {
      ares_destroy(channel_);
      throw std::system_error(ares_error(status), "the server \"" + server + '"');
    }
  }
  channel(const channel&) = delete;
  ~channel() { ares_destroy(channel_); }

  // Its address, as text. A stop cancels the query, and has its effect when c-ares has let go of it.
  // [suspend]
  auto query(const std::string& name) {
    auto ask = [this, &name](cordage::suspension<std::string> waiter) {
      ares_gethostbyname(channel_, name.c_str(), AF_INET, answered, waiter.release());
    };
    auto cancel = [this] { ares_cancel(channel_); };
    return cordage::suspend<std::string>(ask, cancel);
  }
  static void answered(void* context, int status, int, hostent* host) {
    auto waiter = cordage::suspension<std::string>::from(context);
    if (status == ARES_SUCCESS) waiter.resume(text_of(*host));
    if (status != ARES_SUCCESS && status != ARES_ECANCELLED) waiter.resume(std::unexpected(ares_error(status)));
  }  // cancelled: the suspension is dropped, which is what a stop waits for
  // [/suspend]

  // The sockets that it waits for.
  std::vector<socket_wait> sockets() const {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> open{};
    const auto bits = static_cast<unsigned>(ares_getsock(channel_, open.data(), ARES_GETSOCK_MAXNUM));
    std::vector<socket_wait> waits;
    for (unsigned i = 0; i < open.size(); ++i) {
      if ((bits >> i & 1u) != 0) waits.push_back({open[i], false});
      if ((bits >> (i + ARES_GETSOCK_MAXNUM) & 1u) != 0) waits.push_back({open[i], true});
    }
    return waits;
  }
  // Until it has something to do though no socket is ready.
  std::chrono::microseconds longest_wait() const {
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) return std::chrono::hours(1);
    return std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
  }

  void process(const socket_wait& ready) {
    ares_process_fd(channel_, ready.to_write ? ARES_SOCKET_BAD : ready.fd, ready.to_write ? ready.fd : ARES_SOCKET_BAD);
  }

 private:
  ares_channel channel_ = nullptr;
};

// [drive]
cordage::task<socket_wait> until_ready(socket_wait what) {
  cordage::watched_descriptor socket(what.fd);
  if (what.to_write) {
    co_await !socket.writable();
  } else {
    co_await !socket.readable();
  }
  co_return what;
}

// Does what the channel has to do, until it is stopped.
cordage::task<cordage::result<std::string>> drive(channel& of) {
  for (;;) {
    std::vector<cordage::task<socket_wait>> waits;
    for (const socket_wait& each : of.sockets()) waits.push_back(until_ready(each));
    if (waits.empty()) co_await cordage::stopped();
    const auto ready = co_await cordage::with_timeout(of.longest_wait(), cordage::when_any(std::move(waits)));
    of.process({});  // what has taken too long
    if (!ready) continue;
    for (const auto& each : *ready) {
      if (each) of.process(*each);
    }
  }
}
// [/drive]

cordage::task<cordage::result<std::string>> resolve(const std::string& name, const std::string& server) {
  channel asks(server);
  co_return co_await cordage::expect<0>(cordage::when_any(asks.query(name), drive(asks)));
}

cordage::task<int> resolve_all(const options& how) {
  std::vector<decltype(cordage::with_timeout(how.timeout, resolve("", "")))> lookups;
  for (const std::string& name : how.names) lookups.push_back(cordage::with_timeout(how.timeout, resolve(name, how.server)));
  const auto found = co_await cordage::when_all(std::move(lookups));
  int failures = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i]) ++failures;
    std::printf("%s: %s\n", how.names[i].c_str(), found[i] ? found[i]->c_str() : found[i].error().message().c_str());
  }
  co_return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("resolve", usage, [&] {
    options how;
    const auto names = support::take_options(argc, argv, {{"timeout", support::into(how.timeout)}, {"server", support::into(how.server)}});
    if (names.empty()) throw support::usage_error("no name to resolve");
    how.names.assign(names.begin(), names.end());
    if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS) throw std::system_error(ares_error(status));
    const int exit_code = cordage::run(resolve_all(how));
    ares_library_cleanup();
    return exit_code;
  });
}
