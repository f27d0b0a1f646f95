// A TCP server that echoes whatever is sent to it, once with tasks and once with fibers.
//
// SIGINT or SIGTERM drains it: it accepts no more, what has arrived is still echoed, and what is left after two seconds
// is stopped. A second signal ends it at once. SIGUSR1 makes it say, on standard error, what each connection waits for.
#include <getopt.h>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <cordage/cordage.hpp>

namespace {

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
  std::string_view style = "task";
  cordage::backend_kind backend = cordage::backend_kind::automatic;
  std::size_t max_connections = std::numeric_limits<std::size_t>::max();
  std::chrono::milliseconds idle_timeout{0};
};

constexpr const char* usage =
    "usage: echo_server [--help] [--host H] [--port N] [--style task|fiber] [--backend epoll|auto] [--max-connections N]\n"
    "                   [--idle-timeout TIME]\n"
    "  --host H             address to listen on (127.0.0.1)\n"
    "  --port N             port to listen on, 0 for any (7007)\n"
    "  --style S            what serves a connection: task or fiber (task)\n"
    "  --backend B          how I/O is done: epoll or auto (auto)\n"
    "  --max-connections N  serve so many at a time, let others wait (no limit)\n"
    "  --idle-timeout TIME  end connections on which nothing moves for so long, as 30s, 500ms or 2m (never)\n"
    "SIGINT and SIGTERM drain it; SIGUSR1 writes to standard error what each of its strands waits for.\n";

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "echo_server: %s\n%s", why.c_str(), usage);
  std::exit(2);
}

template <class Number>
Number number(std::string_view option, std::string_view text, Number least) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || at != end || value < least)
    refuse("--" + std::string(option) + " takes a number from " + std::to_string(least) + " to " +
           std::to_string(std::numeric_limits<Number>::max()) + ", not \"" + std::string(text) + "\"");
  return value;
}

std::string_view one_of(std::string_view option, std::string_view text, std::string_view a, std::string_view b) {
  if (text == a) return a;
  if (text == b) return b;
  refuse("--" + std::string(option) + " is " + std::string(a) + " or " + std::string(b) + ", not \"" +
         std::string(text) + "\"");
}

// A number and its unit: 500ms, 30s, 2m.
std::chrono::milliseconds duration(std::string_view option, std::string_view text) {
  std::int64_t value{};
  const char* const end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, value);
  const std::string_view unit(at, static_cast<std::size_t>(end - at));
  const std::int64_t milliseconds = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
  if (code != std::errc{} || milliseconds == 0 || value < 1 || value > 1'000'000)
    refuse("--" + std::string(option) + " takes a time from 1ms to 1000000m, as 30s, not \"" + std::string(text) + "\"");
  return std::chrono::milliseconds(value * milliseconds);
}

options parse(int argc, char** argv) {
  static const option known[] = {{"host", required_argument, nullptr, 'h'},
                                 {"port", required_argument, nullptr, 'p'},
                                 {"style", required_argument, nullptr, 's'},
                                 {"backend", required_argument, nullptr, 'b'},
                                 {"max-connections", required_argument, nullptr, 'm'},
                                 {"idle-timeout", required_argument, nullptr, 'i'},
                                 {"help", no_argument, nullptr, 'u'},
                                 {}};
  options asked;
  for (int which; (which = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (which == 'h') {
      asked.host = optarg;
    } else if (which == 'p') {
      asked.port = number<std::uint16_t>("port", optarg, 0);
    } else if (which == 's') {
      asked.style = one_of("style", optarg, "task", "fiber");
    } else if (which == 'b') {
      if (one_of("backend", optarg, "epoll", "auto") == "epoll") asked.backend = cordage::backend_kind::epoll;
    } else if (which == 'm') {
      asked.max_connections = number<std::size_t>("max-connections", optarg, 1);
    } else if (which == 'i') {
      asked.idle_timeout = duration("idle-timeout", optarg);
    } else if (which == 'u') {
      std::fputs(usage, stdout);
      std::exit(0);
    } else {
      std::fputs(usage, stderr);  // getopt has said what was wrong
      std::exit(2);
    }
  }
  if (optind < argc) refuse("unexpected argument \"" + std::string(argv[optind]) + "\"");
  return asked;
}

cordage::tcp::listener listen(const options& asked) {
  const bool is_ipv6 = asked.host.find(':') != asked.host.npos;
  const std::string where = (is_ipv6 ? "[" + asked.host + "]" : asked.host) + ":" + std::to_string(asked.port);
  const auto parsed = cordage::endpoint::parse(where);
  if (!parsed) refuse("\"" + asked.host + "\" is no address to listen on: " + parsed.error().message());
  auto listener = cordage::tcp::listener::bind(*parsed);
  if (!listener) refuse("cannot listen on " + where + ": " + listener.error().message());
  return std::move(*listener);
}

// The first signal drains the server, a second one ends the program.
template <class Server>
cordage::task<> stop_at_signal(cordage::signal_set& asked_to_end, Server& server) {
  co_await !asked_to_end.wait();
  server.request_stop();
  const int again = co_await !asked_to_end.wait();
  std::_Exit(128 + again);
}

template <class Handler>
cordage::task<> serve_until_signal(cordage::tcp::listener listener, Handler echo, const options& asked,
                                   cordage::signal_set& asked_to_end) {
  using namespace std::chrono_literals;
  auto handler = [echo](cordage::tcp::stream peer) {
    ++connections_served;
    return echo(std::move(peer));
  };
  auto server = cordage::spawn(cordage::tcp::serve(
      std::move(listener), handler,
      {.max_connections = asked.max_connections, .idle_timeout = asked.idle_timeout, .drain_for = 2s}));
  auto watcher = cordage::spawn(stop_at_signal<decltype(server)>, std::ref(asked_to_end), std::ref(server));
  const auto ended = co_await server;
  watcher.request_stop();
  (void)co_await watcher;
  if (!ended && ended.error() != cordage::errc::stopped) throw std::system_error(ended.error(), "serving");
}

}  // namespace

int main(int argc, char** argv) try {
  const options asked = parse(argc, argv);
  auto listener = listen(asked);
  cordage::runtime runtime({.backend = asked.backend, .dump_signal = SIGUSR1});
  cordage::signal_set asked_to_end{SIGINT, SIGTERM};  // before anybody is told that there is a server to stop
  std::printf("listening on %s (%s, %s, 1 worker)\n", to_string(listener.local()).c_str(), asked.style.data(),
              std::string(runtime.backend_name()).c_str());
  std::fflush(stdout);
  if (asked.style == "task") {
    runtime.run(serve_until_signal(std::move(listener), echo_task, asked, asked_to_end));
  } else {
    runtime.run(serve_until_signal(std::move(listener), echo_fiber, asked, asked_to_end));
  }
  std::printf("served %llu connections, %llu bytes\n", static_cast<unsigned long long>(connections_served),
              static_cast<unsigned long long>(bytes_echoed));
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "echo_server: %s\n", e.what());
  return 1;
}
