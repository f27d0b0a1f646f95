#include <cordage/serve.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/runtime.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>

#include "client.hpp"
#include "counted.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

task<> echo_task(tcp::stream peer) {
  std::array<std::byte, 512> buffer;
  while (const auto n = co_await !peer.read_some(buffer)) co_await !peer.write_all(std::span(buffer).first(n));
}
void echo_fiber(tcp::stream peer) {
  std::array<std::byte, 512> buffer;
  while (const auto n = await(!peer.read_some(buffer))) await(!peer.write_all(std::span(buffer).first(n)));
}

std::string exchange(tcp::stream& with, std::string_view text) {
  await(!with.write_all(bytes_of(text)));
  std::vector<std::byte> reply(text.size());
  await(!with.read_exactly(reply));
  return {reinterpret_cast<const char*>(reply.data()), reply.size()};
}

std::string rest_of(tcp::stream& from) {
  std::string all;
  std::array<std::byte, 512> buffer;
  while (const auto n = await(!from.read_some(buffer))) all.append(reinterpret_cast<const char*>(buffer.data()), n);
  return all;
}

// Serves with `handler` and runs `client(where, server handle)` on a fiber; then stops the server.
template <class Handler, class Client, class OnError = tcp::detail::report_failure>
void with_server(Handler handler, Client client, tcp::serve_options options = {}, OnError on_error = {}) {
  run(fiber{[&] {
    auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0")));
    const endpoint where = listener.local();
    auto server = spawn(tcp::serve(std::move(listener), handler, options, on_error));
    client(where, server);
    server.request_stop();
    EXPECT_EQ(await(server).error(), errc::stopped);
  }});
}

template <class Client>
void in_both_styles(Client client, tcp::serve_options options = {}) {
  with_server(echo_task, client, options);
  with_server(echo_fiber, client, options);
}

TEST(serve, runs_a_handler_for_each_connection) {
  in_both_styles([](const endpoint& where, auto&) {
    std::vector<tcp::stream> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(await(!tcp::connect(where)));
    for (int round = 0; round < 3; ++round)
      for (auto& client : clients) EXPECT_EQ(exchange(client, "hello"), "hello");
  });
}

TEST(serve, drains_for_as_long_as_it_takes_if_told_so) {
  run(fiber{[] {
    auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0")));
    const endpoint where = listener.local();
    bool ended_by_itself = false;
    auto slow = [&](tcp::stream peer) -> task<> {
      std::array<std::byte, 16> buffer;
      while (co_await !peer.read_some(buffer)) {
      }
      co_await sleep_for(2ms);
      ended_by_itself = true;
    };
    auto server = spawn(tcp::serve(std::move(listener), slow, {.drain_for = std::chrono::nanoseconds::max()}));
    auto client = await(!tcp::connect(where));
    await(!client.write_all(bytes_of("hello")));
    await(sleep_for(1ms));
    server.request_stop();
    EXPECT_EQ(await(server).error(), errc::stopped);
    EXPECT_TRUE(ended_by_itself);
  }});
}

// In virtual time: the network of this machine is the system's own memory, so nothing is under way while nobody runs.
TEST(serve, shuts_down_connections_on_which_nothing_moves) {
  const auto check = [](auto handler) {
    virtual_clock clock;
    runtime in({.clock = &clock});
    in.run(fiber{[&] {
      auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0")));
      const endpoint where = listener.local();
      auto server = spawn(tcp::serve(std::move(listener), handler, {.idle_timeout = 8s}));
      auto silent = await(!tcp::connect(where));
      auto talks = await(!tcp::connect(where));
      EXPECT_EQ(exchange(silent, "hello"), "hello");
      const auto began = clock.now();
      for (int i = 0; i < 10; ++i) {
        await(sleep_for(7s));
        EXPECT_EQ(exchange(talks, "still there"), "still there");
      }
      EXPECT_EQ(rest_of(silent), "");  // long ended
      const auto last_word = clock.now();
      EXPECT_EQ(rest_of(talks), "");
      EXPECT_GE(clock.now() - last_word, 8s);
      EXPECT_LE(clock.now() - last_word, 10s);
      EXPECT_EQ(last_word - began, 70s);
      server.request_stop();
      EXPECT_EQ(await(server).error(), errc::stopped);
    }});
  };
  check(echo_task);
  check(echo_fiber);
}

TEST(serve, completes_with_the_error_of_an_address_that_cannot_be_bound) {
  EXPECT_EQ(run(tcp::serve("nonsense", echo_task)).error(), std::errc::invalid_argument);
  EXPECT_THROW(run(!tcp::serve("203.0.113.1:1", echo_fiber)), std::system_error);
}

TEST(serve, keeps_one_connections_failure_from_the_others) {
  for (const bool as_fiber : {false, true}) {
    std::vector<std::string> told;
    auto on_error = [&](const failure& f) { told.push_back(f.message()); };
    auto fails_in_task = [](tcp::stream peer) -> task<> {
      std::array<std::byte, 1> byte;
      co_await !peer.read_exactly(byte);
      if (byte[0] == std::byte{'x'}) throw std::runtime_error("x came");
      co_await echo_task(std::move(peer));
    };
    auto fails_in_fiber = [](tcp::stream peer) {
      std::array<std::byte, 1> byte;
      await(!peer.read_exactly(byte));
      if (byte[0] == std::byte{'x'}) throw std::runtime_error("x came");
      echo_fiber(std::move(peer));
    };
    auto client = [&](const endpoint& where, auto&) {
      auto good = await(!tcp::connect(where));
      auto bad = await(!tcp::connect(where));
      await(!good.write_all(bytes_of("a")));
      await(!bad.write_all(bytes_of("x")));
      EXPECT_EQ(rest_of(bad), "") << "its connection is closed";
      EXPECT_EQ(exchange(good, "still here"), "still here");
    };
    if (as_fiber) {
      with_server(fails_in_fiber, client, {}, on_error);
    } else {
      with_server(fails_in_task, client, {}, on_error);
    }
    EXPECT_EQ(told, std::vector<std::string>{"x came"});
  }
}

TEST(serve, reports_failures_that_are_not_the_peers_making) {
  testing::internal::CaptureStderr();
  auto fails = [](tcp::stream peer) -> task<> {
    std::array<std::byte, 1> byte;
    co_await !peer.read_exactly(byte);
    if (byte[0] == std::byte{'x'}) throw std::runtime_error("a bug");
    throw std::system_error(std::make_error_code(std::errc::connection_reset));
  };
  with_server(fails, [](const endpoint& where, auto&) {
    for (const char* text : {"x", "y"}) {
      auto client = await(!tcp::connect(where));
      await(!client.write_all(bytes_of(text)));
      rest_of(client);
    }
  });
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "cordage: a connection's handler failed: a bug\n");
}

TEST(serve, keeps_one_handler_that_outlives_every_connection) {
  counted::alive = 0;
  int calls = 0;
  {
    auto handler = [&calls, held = counted(7)](tcp::stream peer) -> task<> {
      ++calls;
      co_await echo_task(std::move(peer));
      EXPECT_EQ(held.value, 7);
    };
    with_server(handler, [](const endpoint& where, auto&) {
      for (int i = 0; i < 3; ++i) {
        auto client = await(!tcp::connect(where));
        exchange(client, "hi");
      }
    });
  }
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(counted::alive, 0);
}

TEST(serve, serves_so_many_at_a_time_and_lets_others_wait) {
  in_both_styles(
      [](const endpoint& where, auto&) {
        auto first = await(!tcp::connect(where));
        auto second = await(!tcp::connect(where));
        exchange(first, "1");
        exchange(second, "2");
        auto third = await(!tcp::connect(where));
        auto reply = spawn([&] { return exchange(third, "3"); });
        for (int i = 0; i < 3; ++i) {
          exchange(first, "more");
          exchange(second, "more");
        }
        EXPECT_FALSE(reply.ready());
        first.close();
        EXPECT_EQ(await(reply), "3");
      },
      {.max_connections = 2});
}

TEST(serve, when_stopped_without_time_to_drain_ends_at_once) {
  in_both_styles([](const endpoint& where, auto& server) {
    auto client = await(!tcp::connect(where));
    exchange(client, "hello");
    server.request_stop();
    EXPECT_EQ(rest_of(client), "");
  });
}

TEST(serve, drains_what_has_arrived_when_it_is_stopped) {
  in_both_styles(
      [](const endpoint& where, auto& server) {
        auto client = await(!tcp::connect(where));
        exchange(client, "hello");
        await(!client.write_all(bytes_of("last words")));
        server.request_stop();
        EXPECT_EQ(rest_of(client), "last words");
        EXPECT_FALSE(await(tcp::connect(where))) << "nothing is accepted any more";
      },
      {.drain_for = 24h});
}

// A connection that is there, and of which the backend has not told yet.
TEST(serve, drains_a_connection_that_arrives_while_that_begins) {
  run(fiber{[] {
    auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0")));
    const std::uint16_t port = listener.local().port();
    auto server = spawn(tcp::serve(std::move(listener), echo_fiber, {.drain_for = std::chrono::nanoseconds::max()}));
    await(sleep_for(1ms));  // it waits for the first
    const support::client at_once(port);
    server.request_stop();
    EXPECT_EQ(await(server).error(), errc::stopped);
  }});
}

TEST(serve, stops_handlers_that_do_not_end_by_draining) {
  std::string ended;
  auto never_ends = [&](tcp::stream) -> task<> {
    at_exit note{[&] { ended += "."; }};
    co_await sleep_for(24h);
  };
  with_server(
      never_ends,
      [](const endpoint& where, auto&) {
        auto client = await(!tcp::connect(where));
        for (int i = 0; i < 10; ++i) await(sleep_for(100us));
      },
      {.drain_for = 1ms});
  EXPECT_EQ(ended, ".");
}

TEST(serve, out_of_descriptors_pauses_and_goes_on_when_some_are_free) {
  if (config::sanitized) GTEST_SKIP() << "the sanitizers need descriptors for their checks";
  in_both_styles([](const endpoint& where, auto&) {
    auto first = await(!tcp::connect(where));
    exchange(first, "1");
    auto second = await(!tcp::connect(where));  // accepted, or not, before the limit; the third certainly is not
    exchange(second, "2");
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = ::dup(0);
    ::close(next);
    const rlimit one_more{static_cast<rlim_t>(next + 1), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_more), 0);
    auto third = await(tcp::connect(where));
    ASSERT_TRUE(third);
    auto reply = spawn([&] { return exchange(*third, "3"); });
    for (int i = 0; i < 5; ++i) exchange(first, "more");
    EXPECT_FALSE(reply.ready());
    second.close();  // frees the client's descriptor and, once the handler has ended, the server's
    EXPECT_EQ(await(reply), "3");
    ::setrlimit(RLIMIT_NOFILE, &before);
  });
}

TEST(serve, a_handler_may_keep_its_stream_elsewhere_beyond_the_server) {
  std::vector<tcp::stream> kept;
  run(fiber{[&] {
    auto keep = [&](tcp::stream peer) { kept.push_back(std::move(peer)); };
    auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0")));
    const endpoint where = listener.local();
    auto server = spawn(tcp::serve(std::move(listener), keep, {.drain_for = 1h}));
    auto client = await(!tcp::connect(where));
    while (kept.empty()) await(sleep_for(100us));
    server.request_stop();
    EXPECT_EQ(await(server).error(), errc::stopped);
    await(!kept[0].write_all(bytes_of("x")));
    EXPECT_EQ(exchange(client, "").size(), 0U);
  }});
}

}  // namespace
