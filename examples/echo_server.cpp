// A TCP server that echoes whatever is sent to it, once with tasks and once with fibers.
//
// SIGINT or SIGTERM drains it: it accepts no more, what has arrived is still echoed, and what is left after two seconds
// is stopped. A second signal ends it at once. SIGUSR1 makes it say, on standard error, what each connection waits for.
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"
#include "support/serve_until.hpp"

namespace {

using namespace std::chrono_literals;

std::uint64_t connections_served = 0;

// [echo]
std::uint64_t bytes_echoed = 0;

cordage::task<> echo_task(cordage::tcp::stream peer) {         // a task: stackless
  std::array<std::byte, 4096> buffer;
  while (auto n = co_await !peer.read_some(buffer)) {          // bytes read; 0 at the end of the stream
    co_await !peer.write_all(std::span(buffer).first(n));
    bytes_echoed += n;
  }
}

void echo_fiber(cordage::tcp::stream peer) {                   // a fiber: the same words in an ordinary function
  std::array<std::byte, 4096> buffer;
  while (auto n = cordage::await(!peer.read_some(buffer))) {
    cordage::await(!peer.write_all(std::span(buffer).first(n)));
    bytes_echoed += n;
  }
}
// [/echo]

struct options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 7007;
  support::style style = support::style::task;
  cordage::backend_kind backend = cordage::backend_kind::automatic;
  std::size_t max_connections = std::numeric_limits<std::size_t>::max();
  std::chrono::milliseconds idle_timeout{0};
};

constexpr const char* usage =
    "usage: echo_server [--help] [--host H] [--port N] [--style task|fiber] [--backend epoll|io_uring|kqueue|auto]\n"
    "                   [--max-connections N] [--idle-timeout TIME]\n"
    "  --host H             address to listen on (127.0.0.1)\n"
    "  --port N             port to listen on, 0 for any (7007)\n"
    "  --style S            what serves a connection: task or fiber (task)\n"
    "  --backend B          how I/O is done: epoll, io_uring, kqueue or auto (auto)\n"
    "  --max-connections N  serve so many at a time, let others wait (no limit)\n"
    "  --idle-timeout TIME  end connections on which nothing moves for so long, as 30s, 500ms or 2m (never)\n"
    "SIGINT and SIGTERM drain it; SIGUSR1 writes to standard error what each of its strands waits for.\n";

options parse(int argc, char** argv) {
  options asked;
  const auto backend = [&asked](std::string_view text) {
    if (text == "epoll") asked.backend = cordage::backend_kind::epoll;
    else if (text == "io_uring") asked.backend = cordage::backend_kind::io_uring;
    else if (text == "kqueue") asked.backend = cordage::backend_kind::kqueue;
    else if (text != "auto") throw support::usage_error("is epoll, io_uring, kqueue or auto");
  };
  support::take_only_options(argc, argv, {{"host", support::into(asked.host)},
                                          {"port", support::into<std::uint16_t>(asked.port, 0)},
                                          {"style", support::into(asked.style)},
                                          {"backend", backend},
                                          {"max-connections", support::into(asked.max_connections)},
                                          {"idle-timeout", support::into(asked.idle_timeout)}});
  return asked;
}

cordage::tcp::listener listen(const options& asked) {
  const bool is_ipv6 = asked.host.find(':') != asked.host.npos;
  const std::string where = (is_ipv6 ? "[" + asked.host + "]" : asked.host) + ":" + std::to_string(asked.port);
  if (const auto parsed = cordage::endpoint::parse(where); !parsed)
    throw support::usage_error(support::quoted(asked.host) + " is no address to listen on: " + parsed.error().message());
  return support::listen(where);
}

template <class Handler>
void serve(cordage::tcp::listener listener, Handler echo, const options& asked) {
  cordage::runtime runtime({.backend = asked.backend, .dump_signal = SIGUSR1});
  support::end_signal end;
  std::printf("listening on %s (%s, %s, 1 worker)\n", to_string(listener.local()).c_str(),
              asked.style == support::style::task ? "task" : "fiber", std::string(runtime.backend_name()).c_str());
  std::fflush(stdout);
  const auto handler = [echo](cordage::tcp::stream peer) {
    ++connections_served;
    return echo(std::move(peer));
  };
  runtime.run(support::serve_until(
      end.wait(), std::move(listener), handler,
      {.max_connections = asked.max_connections, .idle_timeout = asked.idle_timeout, .drain_for = 2s}));
}

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("echo_server", usage, [&] {
    const options asked = parse(argc, argv);
    auto listener = listen(asked);
    if (asked.style == support::style::task) {
      serve(std::move(listener), echo_task, asked);
    } else {
      serve(std::move(listener), echo_fiber, asked);
    }
    std::printf("served %llu connections, %llu bytes\n", static_cast<unsigned long long>(connections_served),
                static_cast<unsigned long long>(bytes_echoed));
    return 0;
  });
}
