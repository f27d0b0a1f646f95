// An HTTP/1.1 server, once with tasks and once with fibers. Try it with `curl -i 127.0.0.1:7009/wait/500ms`.
//
// GET / greets, POST /echo sends back, GET /wait/TIME takes its time, GET /status counts. SIGINT or SIGTERM drains it:
// it accepts nobody, ends connections that are idle, and answers the requests that have arrived. A second signal ends it
// at once. SIGUSR1 makes it say, on standard error, what each connection waits for.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <cordage/cordage.hpp>

#include "http/request_parser.hpp"
#include "http/response.hpp"
#include "support/command_line.hpp"
#include "support/serve_until.hpp"

namespace {

using namespace std::chrono_literals;

struct options {
  std::string listen = "127.0.0.1:7009";
  support::style style = support::style::task;
  std::size_t max_connections = std::numeric_limits<std::size_t>::max();
  http::limits most;
  std::chrono::milliseconds idle_timeout = 30s;
  std::chrono::milliseconds request_timeout = 10s;
  std::chrono::milliseconds patience = 5s;
};

constexpr std::chrono::milliseconds longest_wait = 60s;
constexpr std::size_t enough_to_send = 65536;       // answers to pipelined requests are sent when they are more than that
constexpr std::size_t longest_farewell = 16 << 20;  // so much is read from a peer that goes on sending when all is over

struct service {
  const options& how;
  support::end_signal end{};
  std::uint64_t connections = 0;
  std::uint64_t open = 0;
  std::uint64_t requests = 0;
};

// [answers]
// How long "/wait/500ms" is to take; nothing for what is no such target.
std::optional<std::chrono::milliseconds> time_to_wait(std::string_view target) {
  constexpr std::string_view prefix = "/wait/";
  if (!target.starts_with(prefix)) return {};
  try {
    const auto time = support::duration(target.substr(prefix.size()));
    return time <= longest_wait ? std::optional(time) : std::nullopt;
  } catch (const support::usage_error&) {
    return {};
  }
}

http::response only(std::string_view allow_field) {
  return {.status = 405, .body = "this resource has other methods\n", .fields = allow_field};
}

http::response status(const service& of) {
  return {.body = "{\"connections\":" + std::to_string(of.connections) + ",\"open\":" + std::to_string(of.open) +
                  ",\"requests\":" + std::to_string(of.requests) + "}\n",
          .type = "application/json"};
}

// The answers that are there at once; nothing where one has to wait.
std::optional<http::response> answer_at_once(const service& of, const http::request& asked) {
  if (asked.target == "/echo") {
    if (asked.method != "POST") return only("Allow: POST\r\n");
    return http::response{.body = std::string(asked.body), .type = "application/octet-stream"};
  }
  const bool waits = time_to_wait(asked.target).has_value();
  if (!waits && asked.target != "/" && asked.target != "/status")
    return http::response{.status = 404, .body = "there are /, /echo, /status and /wait/TIME, of at most 60s\n"};
  if (asked.method != "GET" && asked.method != "HEAD") return only("Allow: GET, HEAD\r\n");
  if (waits) return {};
  return asked.target == "/" ? http::response{.body = "Hello world\n"} : status(of);
}

http::response has_waited() { return {.body = "thank you for waiting\n"}; }

cordage::task<http::response> answer_in_task(const http::request& asked) {
  co_await cordage::sleep_for(time_to_wait(asked.target).value());
  co_return has_waited();
}

http::response answer_on_fiber(const http::request& asked) {
  cordage::await(cordage::sleep_for(time_to_wait(asked.target).value()));
  return has_waited();
}
// [/answers]

// A connection between its waits, of which it has none itself: these are in the loops below.
class conversation {
 public:
  conversation(service& with, cordage::tcp::stream peer) : with_(with), peer_(std::move(peer)), parser_(with.how.most) {
    ++with_.connections;
    ++with_.open;
  }
  conversation(const conversation&) = delete;
  ~conversation() { --with_.open; }

  const http::request* next_request() { return goes_on_ ? parser_.next() : nullptr; }
  void add(const http::response& answer, const http::request& asked);
  void add_what_the_parser_says();
  bool has_much_to_send() const { return unsent_.size() >= enough_to_send; }
  void received(const cordage::result<std::size_t>& count);

  bool goes_on() const { return goes_on_; }
  bool is_to_part() const { return is_to_part_; }

  // [waits]
  // What a connection waits for.
  auto read() { return cordage::with_timeout(time_for_more(), peer_.read_some(parser_.room())); }
  auto write() { return cordage::with_timeout(with_.how.idle_timeout, peer_.write_all(take_unsent())); }
  auto part() { return cordage::with_timeout(with_.how.patience, peer_.finish(longest_farewell)); }
  // [/waits]

 private:
  std::chrono::nanoseconds time_for_more();
  std::span<const std::byte> take_unsent();
  std::string& unsent();
  void end(bool before_the_peer) {
    goes_on_ = false;
    is_to_part_ = before_the_peer;
  }

  service& with_;
  cordage::tcp::stream peer_;
  http::request_parser parser_;
  std::string unsent_;
  bool is_sent_ = false;                                       // what unsent_ has; the next answer begins anew
  std::optional<std::chrono::steady_clock::time_point> request_began_;  // one that is not whole yet
  bool goes_on_ = true;
  bool is_to_part_ = false;
};

void conversation::add(const http::response& answer, const http::request& asked) {
  ++with_.requests;
  request_began_.reset();
  const bool last = !asked.keep_alive || (with_.end.given() && !parser_.has_rest());
  http::append(unsent(), answer, asked, last);
  if (last) end(true);
}

void conversation::add_what_the_parser_says() {
  if (parser_.takes_continue()) unsent() += http::continue_line;
  if (parser_.refusal() == 0) return;
  http::append_refusal(unsent(), parser_.refusal());
  end(true);
}

void conversation::received(const cordage::result<std::size_t>& count) {
  if (count && *count != 0) return parser_.received(*count);
  const bool too_slow = !count && count.error() == cordage::errc::timed_out && parser_.has_rest();
  if (too_slow) http::append_refusal(unsent(), 408);
  end(too_slow);
}

// A request has its time from its first byte on. Where all of it comes in one piece the clock is not looked at.
std::chrono::nanoseconds conversation::time_for_more() {
  if (!parser_.has_rest()) return with_.how.idle_timeout;
  const auto now = cordage::now();
  if (!request_began_) request_began_ = now;
  return *request_began_ + with_.how.request_timeout - now;
}

std::span<const std::byte> conversation::take_unsent() {
  if (std::exchange(is_sent_, true)) return {};
  return std::as_bytes(std::span(unsent_));
}

// Answers to be sent, in the memory of those that were.
std::string& conversation::unsent() {
  if (!std::exchange(is_sent_, false)) return unsent_;
  if (unsent_.capacity() > 2 * enough_to_send) unsent_ = {};
  unsent_.clear();
  return unsent_;
}

// [loops]
cordage::task<> serve_in_task(service& with, cordage::tcp::stream peer) {
  conversation here(with, std::move(peer));
  while (here.goes_on()) {
    here.received(co_await here.read());
    while (const http::request* asked = here.next_request()) {
      auto answer = answer_at_once(with, *asked);
      if (!answer) {
        co_await !here.write();                                // nobody else's answer waits for this one
        answer = co_await answer_in_task(*asked);
      }
      here.add(*answer, *asked);
      if (here.has_much_to_send()) co_await !here.write();
    }
    here.add_what_the_parser_says();
    co_await !here.write();
  }
  if (here.is_to_part()) (void)co_await here.part();
}

void serve_on_fiber(service& with, cordage::tcp::stream peer) {
  conversation here(with, std::move(peer));
  while (here.goes_on()) {
    here.received(cordage::await(here.read()));
    while (const http::request* asked = here.next_request()) {
      auto answer = answer_at_once(with, *asked);
      if (!answer) {
        cordage::await(!here.write());
        answer = answer_on_fiber(*asked);
      }
      here.add(*answer, *asked);
      if (here.has_much_to_send()) cordage::await(!here.write());
    }
    here.add_what_the_parser_says();
    cordage::await(!here.write());
  }
  if (here.is_to_part()) (void)cordage::await(here.part());
}
// [/loops]

constexpr const char* usage =
    "usage: http_server [--help] [--listen ADDRESS:PORT] [--style task|fiber] [--max-connections N] [--max-header N]\n"
    "                   [--max-body N] [--idle-timeout TIME] [--request-timeout TIME] [--patience TIME]\n"
    "  --listen ADDRESS:PORT   where to listen, in numbers; port 0 for any (127.0.0.1:7009)\n"
    "  --style S               what serves a connection: task or fiber (task)\n"
    "  --max-connections N     serve so many at a time, let others wait (no limit)\n"
    "  --max-header N          bytes of a request before its body (16384)\n"
    "  --max-body N            bytes of a request's body (1048576)\n"
    "  --idle-timeout TIME     how long nothing may be asked, and how long taking the answers may take, as 30s, 500ms or 2m (30s)\n"
    "  --request-timeout TIME  how long a request may take to arrive (10s)\n"
    "  --patience TIME         for the connections that are left at the end, and for a peer to end after its last answer (5s)\n"
    "SIGINT and SIGTERM drain it; SIGUSR1 writes to standard error what each of its strands waits for.\n";

options parse(int argc, char** argv) {
  options asked;
  support::take_only_options(argc, argv,
                             {{"listen", support::into(asked.listen)},
                              {"style", support::into(asked.style)},
                              {"max-connections", support::into(asked.max_connections)},
                              {"max-header", support::into<std::size_t>(asked.most.header, 64, 1 << 20)},
                              {"max-body", support::into<std::size_t>(asked.most.body, 0, 1 << 30)},
                              {"idle-timeout", support::into(asked.idle_timeout)},
                              {"request-timeout", support::into(asked.request_timeout)},
                              {"patience", support::into(asked.patience)}});
  return asked;
}

int serve(const options& asked) {
  auto listener = support::listen(asked.listen);
  cordage::runtime runtime({.dump_signal = SIGUSR1});
  service here{.how = asked};
  const bool in_tasks = asked.style == support::style::task;
  std::printf("listening on %s (%s, %s, 1 worker)\n", to_string(listener.local()).c_str(), in_tasks ? "task" : "fiber",
              std::string(runtime.backend_name()).c_str());
  std::fflush(stdout);
  const cordage::tcp::serve_options how{.max_connections = asked.max_connections, .drain_for = asked.patience};
  auto with_task = [&here](cordage::tcp::stream peer) { return serve_in_task(here, std::move(peer)); };
  auto with_fiber = [&here](cordage::tcp::stream peer) { serve_on_fiber(here, std::move(peer)); };
  if (in_tasks) {
    runtime.run(support::serve_until(here.end.wait(), std::move(listener), with_task, how));
  } else {
    runtime.run(support::serve_until(here.end.wait(), std::move(listener), with_fiber, how));
  }
  std::printf("served %llu connections, %llu requests\n", static_cast<unsigned long long>(here.connections),
              static_cast<unsigned long long>(here.requests));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("http_server", usage, [&] { return serve(parse(argc, argv)); });
}
