// resolve NAME…: addresses of names, with c-ares. How a callback library becomes something to await.
//
// The names are asked for at the same time, each on a c-ares channel of its own, since ares_cancel ends all that a channel
// does. All of c-ares runs on the runtime's thread. Only the wait for its sockets does not: a thread per wait sits in poll(2)
// and tells, also by suspend, when there is something to do.
#include <ares.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

namespace {

struct options {
  std::chrono::milliseconds timeout{5000};
  std::string server;  // ADDRESS:PORT; empty for the system's
  std::vector<std::string> names;
};

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

  // What it waits for: its sockets, and how many milliseconds at most, -1 for ever.
  std::vector<pollfd> sockets() const {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> open{};
    const auto bits = static_cast<unsigned>(ares_getsock(channel_, open.data(), ARES_GETSOCK_MAXNUM));
    std::vector<pollfd> waits;
    for (unsigned i = 0; i < open.size(); ++i) {
      const bool reads = (bits >> i & 1u) != 0;
      const bool writes = (bits >> (i + ARES_GETSOCK_MAXNUM) & 1u) != 0;
      const int events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0);
      if (events != 0) waits.push_back({.fd = open[i], .events = static_cast<short>(events), .revents = 0});
    }
    return waits;
  }
  int longest_wait() const {
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) return -1;
    return static_cast<int>(left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
  }

  void process(std::span<const pollfd> polled) {
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has taken too long
    for (const pollfd& each : polled) {
      const bool failed = (each.revents & (POLLERR | POLLHUP)) != 0;
      ares_process_fd(channel_, failed || (each.revents & POLLIN) != 0 ? each.fd : ARES_SOCKET_BAD,
                      failed || (each.revents & POLLOUT) != 0 ? each.fd : ARES_SOCKET_BAD);
    }
  }

 private:
  ares_channel channel_ = nullptr;
};

// poll(2) on a thread of its own, one wait at a time.
class poll_thread {
 public:
  poll_thread() : interrupt_(::eventfd(0, EFD_CLOEXEC)) {
    if (interrupt_ < 0) throw std::system_error(errno, std::system_category(), "eventfd");
  }
  poll_thread(const poll_thread&) = delete;
  ~poll_thread() {
    if (thread_.joinable()) thread_.join();
    ::close(interrupt_);
  }

  // Completes when one of them is ready, and tells in them, or when the time is over. Stop interrupts the thread.
  auto wait(std::vector<pollfd>& sockets, int longest_ms) {
    sockets.push_back({.fd = interrupt_, .events = POLLIN, .revents = 0});
    auto begin = [this, &sockets, longest_ms](cordage::suspension<> waiter) {
      if (thread_.joinable()) thread_.join();  // it has resumed the wait before, and is at its end
      thread_ = std::thread([&sockets, longest_ms, waiter = std::move(waiter)]() mutable {
        ::poll(sockets.data(), sockets.size(), longest_ms);
        if (sockets.back().revents == 0) waiter.resume();  // interrupted, it is dropped: the wait stops
      });
    };
    auto interrupt = [this] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(interrupt_, &one, sizeof one);
    };
    return cordage::suspend(begin, interrupt);
  }

 private:
  int interrupt_;
  std::thread thread_;
};

// Does what the channel has to do, until it is stopped.
cordage::async<std::string> drive(channel& of) {
  poll_thread poller;
  for (;;) {
    std::vector<pollfd> sockets = of.sockets();
    if (sockets.empty()) co_await cordage::stopped();
    co_await !poller.wait(sockets, of.longest_wait());
    sockets.pop_back();
    of.process(sockets);
  }
}

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

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "resolve: %s\nusage: resolve [--timeout MILLISECONDS] [--server ADDRESS:PORT] NAME...\n", why.c_str());
  std::exit(2);
}

options parse(std::span<char* const> arguments) {
  options how;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (word != "--timeout" && word != "--server") {
      how.names.emplace_back(word);
      continue;
    }
    if (++i == arguments.size()) refuse(std::string(word) + " requires an argument");
    const std::string_view value = arguments[i];
    if (word == "--server") {
      how.server = value;
      continue;
    }
    unsigned milliseconds = 0;
    const auto [end, wrong] = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
    if (wrong != std::errc{} || end != value.data() + value.size()) refuse("--timeout takes a number of milliseconds");
    how.timeout = std::chrono::milliseconds(milliseconds);
  }
  if (how.names.empty()) refuse("no name to resolve");
  return how;
}

}  // namespace

int main(int argc, char** argv) try {
  const options how = parse(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS) throw std::system_error(ares_error(status));
  const int exit_code = cordage::run(resolve_all(how));
  ares_library_cleanup();
  return exit_code;
} catch (const std::exception& failed) {
  std::fprintf(stderr, "resolve: %s\n", failed.what());
  return 1;
}
