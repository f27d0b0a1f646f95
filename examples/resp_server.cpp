// A small server that speaks redis' protocol: `redis-cli -p 7010`, or `nc 127.0.0.1 7010` and then SET, GET and so on.
//
// What a connection does stands here, once as a task and once as a fiber; what commands are and do is in resp/, without
// any I/O. SIGINT or SIGTERM drains the server: it accepts nobody, and commands that had arrived are answered; what is
// left after two seconds is stopped. A second signal ends it at once. SIGUSR1 makes it say, on standard error, what each
// of its strands waits for.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>

#include <cordage/cordage.hpp>

#include "resp/conversation.hpp"
#include "support/command_line.hpp"
#include "support/serve_until.hpp"

namespace {

using namespace std::chrono_literals;

struct options {
  std::string listen = "127.0.0.1:7010";
  support::style style = support::style::task;
  std::chrono::milliseconds idle_timeout{0};
  std::size_t max_connections = std::numeric_limits<std::size_t>::max();
  std::size_t max_value = 1 << 20;
};

constexpr const char* usage =
    "usage: resp_server [--help] [--listen ADDRESS:PORT] [--style task|fiber] [--idle-timeout TIME] [--max-connections N]\n"
    "                   [--max-value BYTES]\n"
    "  --listen ADDRESS:PORT  where to listen, in numbers; port 0 for any (127.0.0.1:7010)\n"
    "  --style S              what serves a connection: task or fiber (task)\n"
    "  --idle-timeout TIME    end connections on which nothing moves for so long, as 30s, 500ms or 2m (never)\n"
    "  --max-connections N    serve so many at a time, let others wait (no limit)\n"
    "  --max-value BYTES      of a value, a key or any other word of a command (1048576)\n"
    "SIGINT and SIGTERM drain it; SIGUSR1 writes to standard error what each of its strands waits for.\n";

struct server {
  resp::store keys;
  std::size_t max_value;
  std::uint64_t connections = 0;
  std::uint64_t commands = 0;
};

// A conversation that counts, however it ends.
class guest : public resp::conversation {
 public:
  explicit guest(server& of) noexcept : conversation(of.keys, of.max_value), server_(of) { ++server_.connections; }
  guest(const guest&) = delete;
  ~guest() { server_.commands += commands(); }

 private:
  server& server_;
};

// [task]
cordage::task<> serve_task(server& here, cordage::tcp::stream peer) {
  guest talk(here);
  while (const std::size_t n = co_await !peer.read_some(talk.room())) {
    talk.arrived(n);
    while (talk.execute()) co_await !peer.write_all(talk.replies());   // one write for all that had arrived
    if (talk.ended()) break;
  }
  if (talk.ended()) (void)co_await cordage::with_timeout(1s, peer.finish());
}
// [/task]

// [fiber]
void serve_fiber(server& here, cordage::tcp::stream peer) {
  guest talk(here);
  while (const std::size_t n = cordage::await(!peer.read_some(talk.room()))) {
    talk.arrived(n);
    while (talk.execute()) cordage::await(!peer.write_all(talk.replies()));
    if (talk.ended()) break;
  }
  if (talk.ended()) (void)cordage::await(cordage::with_timeout(1s, peer.finish()));
}
// [/fiber]

// [serve]
template <class Serve>
cordage::task<> serve_until_signal(Serve serve, server& here, cordage::tcp::listener listener, const options& asked,
                                   support::end_signal& end) {
  auto handler = [serve, &here](cordage::tcp::stream peer) { return serve(here, std::move(peer)); };
  const cordage::tcp::serve_options how{
      .max_connections = asked.max_connections, .idle_timeout = asked.idle_timeout, .drain_for = 2s};
  // The first to end ends the other: keys that would expire in an hour do not keep the server.
  auto served = support::serve_until(end.wait(), std::move(listener), handler, how);
  co_await cordage::when_any(std::move(served), here.keys.expire_keys());
}
// [/serve]

int run(int argc, char** argv) {
  options asked;
  support::take_only_options(argc, argv,
                             {{"listen", support::into(asked.listen)},
                              {"style", support::into(asked.style)},
                              {"idle-timeout", support::into(asked.idle_timeout)},
                              {"max-connections", support::into(asked.max_connections)},
                              {"max-value", support::into(asked.max_value, std::size_t{1}, std::size_t{512} << 20)}});
  const bool as_tasks = asked.style == support::style::task;
  auto listener = support::listen(asked.listen);
  server here{.keys = {}, .max_value = asked.max_value};
  cordage::runtime runtime({.dump_signal = SIGUSR1});
  support::end_signal end;
  std::printf("listening on %s (%s, %s, 1 worker)\n", to_string(listener.local()).c_str(), as_tasks ? "task" : "fiber",
              std::string(runtime.backend_name()).c_str());
  std::fflush(stdout);
  if (as_tasks) {
    runtime.run(serve_until_signal(serve_task, here, std::move(listener), asked, end));
  } else {
    runtime.run(serve_until_signal(serve_fiber, here, std::move(listener), asked, end));
  }
  std::printf("served %llu connections, %llu commands\n", static_cast<unsigned long long>(here.connections),
              static_cast<unsigned long long>(here.commands));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("resp_server", usage, [&] { return run(argc, argv); });
}
