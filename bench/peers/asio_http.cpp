// The HTTP server of examples/http_server.cpp, as far as `GET /` goes, as coroutines of asio: the same parser, the same
// buffers, the same answers, all answers of one read in one write.
//
// One thread, which asio is told so that it need not wake others; errors are values, not exceptions. The timeouts are those of
// the original, as asio's own example of timeouts has them: beside each connection a second coroutine sleeps until its
// deadline, which each read and write moves on, and whichever of the two ends first cancels the other.
// Usage: asio_http [port]. It announces its address on standard output and runs until a signal ends it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>

#include "http/request_parser.hpp"
#include "http/response.hpp"

namespace {

using asio::ip::tcp;

auto telling(std::error_code& failed) { return asio::redirect_error(asio::use_awaitable, failed); }

http::response answer(const http::request& asked) {
  if (asked.target != "/") return {.status = 404, .body = "there is /\n"};
  if (asked.method != "GET" && asked.method != "HEAD") return {.status = 405, .body = "only GET\n", .fields = "Allow: GET, HEAD\r\n"};
  return {.body = "Hello world\n"};
}

using clock = std::chrono::steady_clock;
constexpr auto idle_timeout = std::chrono::seconds(30);
constexpr auto request_timeout = std::chrono::seconds(10);

asio::awaitable<void> watch(const clock::time_point& deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  std::error_code failed;
  while (!failed && clock::now() < deadline) {
    timer.expires_at(deadline);
    co_await timer.async_wait(telling(failed));
  }
}

asio::awaitable<void> converse(tcp::socket& peer, clock::time_point& deadline) {
  http::request_parser parser;
  std::string unsent;
  std::error_code failed;
  std::optional<clock::time_point> request_began;
  for (bool last = false; !last;) {
    const auto now = clock::now();
    if (!parser.has_rest()) request_began.reset();
    else if (!request_began) request_began = now;
    deadline = request_began ? *request_began + request_timeout : now + idle_timeout;
    const auto room = parser.room();
    const std::size_t count = co_await peer.async_read_some(asio::buffer(room.data(), room.size()), telling(failed));
    if (failed) co_return;
    parser.received(count);
    while (const http::request* asked = parser.next()) {
      last = !asked->keep_alive;
      http::append(unsent, answer(*asked), *asked, last);
    }
    if (parser.takes_continue()) unsent += http::continue_line;
    if (parser.refusal() != 0) http::append_refusal(unsent, parser.refusal());
    deadline = clock::now() + idle_timeout;
    co_await asio::async_write(peer, asio::buffer(unsent), telling(failed));
    if (failed || parser.refusal() != 0) co_return;
    unsent.clear();
  }
}

asio::awaitable<void> serve(tcp::socket peer) {
  using namespace asio::experimental::awaitable_operators;
  clock::time_point deadline = clock::now() + idle_timeout;
  co_await (converse(peer, deadline) || watch(deadline));
}

asio::awaitable<void> accept_all(tcp::acceptor from) {
  for (;;) {
    std::error_code failed;
    tcp::socket peer = co_await from.async_accept(telling(failed));
    if (failed) continue;
    peer.set_option(tcp::no_delay(true));
    asio::co_spawn(from.get_executor(), serve(std::move(peer)), asio::detached);
  }
}

// None, or 0, lets the system choose.
unsigned short port_argument(int argc, char** argv) {
  if (argc < 2) return 0;
  char* end = nullptr;
  const long port = std::strtol(argv[1], &end, 10);
  if (argc > 2 || end == argv[1] || *end != '\0' || port < 0 || port > 65535) {
    std::fprintf(stderr, "usage: %s [port]\n", argv[0]);
    std::exit(2);
  }
  return static_cast<unsigned short>(port);
}

}  // namespace

int main(int argc, char** argv) try {
  asio::io_context here(1);
  tcp::acceptor acceptor(here, {asio::ip::address_v4::loopback(), port_argument(argc, argv)});
  std::printf("listening on 127.0.0.1:%u (asio %d.%d.%d, coroutines)\n", static_cast<unsigned>(acceptor.local_endpoint().port()),
              ASIO_VERSION / 100000, ASIO_VERSION / 100 % 1000, ASIO_VERSION % 100);
  std::fflush(stdout);
  asio::co_spawn(here, accept_all(std::move(acceptor)), asio::detached);
  here.run();
  return 0;
} catch (const std::exception& failed) {
  std::fprintf(stderr, "asio_http: %s\n", failed.what());
  return 1;
}
