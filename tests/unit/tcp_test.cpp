// Streams and listeners, in both styles, client and server in one runtime over loopback.
#include <cordage/tcp.hpp>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/dump.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "connected.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using support::any_port;
using support::connected;
using support::reset;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string read_to_end(tcp::stream& from) {
  std::string all;
  std::array<std::byte, 1000> buffer;
  while (const auto n = await(!from.read_some(buffer))) all += text_of(std::span(buffer).first(n));
  return all;
}

// Runs a test body on a fiber.
template <class Body>
void on_fiber(Body body) {
  run(fiber{std::move(body)});
}

TEST(tcp, connects_and_exchanges_bytes_in_tasks) {
  run([]() -> task<> {
    auto listener = any_port();
    auto serving = [&]() -> task<std::string> {
      auto peer = co_await !listener.accept();
      std::array<std::byte, 64> buffer;
      const auto n = co_await !peer.read_some(buffer);
      co_await !peer.write_all(bytes_of("pong"));
      co_return text_of(std::span(buffer).first(n));
    };
    auto server = spawn(serving);
    auto stream = co_await !tcp::connect(listener.local());
    co_await !stream.write_all(bytes_of("ping"));
    std::array<std::byte, 4> reply;
    co_await !stream.read_exactly(reply);
    EXPECT_EQ(text_of(reply), "pong");
    EXPECT_EQ(co_await server, "ping");
  }());
}

TEST(tcp, connects_and_exchanges_bytes_in_fibers) {
  on_fiber([] {
    auto [a, b] = connected();
    await(!a.write_all(bytes_of("ping")));
    std::array<std::byte, 64> buffer;
    EXPECT_EQ(await(!b.read_some(buffer)), 4U);
    EXPECT_EQ(*a.local(), *b.remote());
    EXPECT_EQ(*b.local(), *a.remote());
  });
}

TEST(tcp, works_over_ipv6) {
  on_fiber([] {
    auto listener = tcp::listener::bind(*endpoint::parse("[::1]:0"));
    if (!listener && listener.error() == std::errc::address_not_available) GTEST_SKIP() << "no IPv6 here";
    ASSERT_TRUE(listener);
    auto connecting = spawn([&] { return await(!tcp::connect(listener->local())); });
    auto accepted = await(!listener->accept());
    EXPECT_EQ(accepted.remote()->family(), address_family::ipv6);
    EXPECT_TRUE(await(connecting));
  });
}

TEST(tcp, half_close_works_both_ways) {
  on_fiber([] {
    auto [a, b] = connected();
    await(!a.write_all(bytes_of("question")));
    ASSERT_TRUE(a.shutdown_send());
    EXPECT_EQ(read_to_end(b), "question");
    await(!b.write_all(bytes_of("answer")));
    ASSERT_TRUE(b.shutdown_send());
    EXPECT_EQ(read_to_end(a), "answer");
    std::array<std::byte, 8> buffer;
    EXPECT_EQ(await(!a.read_some(buffer)), 0U) << "the end stays the end";
  });
}

// How reading the answer ends for a peer that has sent more than was read of it.
template <class End>
result<std::size_t> read_after_the_answer(End ends) {
  result<std::size_t> last;
  on_fiber([&] {
    auto [a, b] = connected();
    await(!b.write_all(bytes_of("a question, of which one byte is read")));
    std::array<std::byte, 16> buffer;
    await(!a.read_exactly(std::span(buffer).first(1)));
    await(!a.write_all(bytes_of("answer")));
    auto ending = spawn([&] { return ends(a); });
    do last = await(b.read_some(buffer));
    while (last && *last != 0);
    b.close();
    const result<> ended = await(ending);
    EXPECT_TRUE(ended.has_value());
  });
  return last;
}

TEST(tcp, finish_ends_a_conversation_that_closing_would_reset) {
  const auto closes = [](tcp::stream& from) -> result<> {
    from.close();
    return {};
  };
  const auto in_task = [](tcp::stream& from) { return from.finish(); };
  const auto on_its_fiber = [](tcp::stream& from) -> result<> { return await(from.finish()); };
  const auto closed = read_after_the_answer(closes);
  ASSERT_FALSE(closed.has_value()) << "or the rest shows nothing";
  EXPECT_EQ(closed.error(), std::errc::connection_reset);
  EXPECT_EQ(read_after_the_answer(in_task).value(), 0U);
  EXPECT_EQ(read_after_the_answer(on_its_fiber).value(), 0U);
}

TEST(tcp, finish_hears_a_peer_out_only_so_far) {
  on_fiber([] {
    auto [a, b] = connected();
    auto goes_on = spawn([&] {
      const std::string much(100'000, 'x');
      while (await(b.write_all(bytes_of(much)))) await(yield_now());
    });
    await(!a.finish(1'000'000));
    a.close();
    (void)await(goes_on);  // which ends by the reset only
  });
}

TEST(tcp, finish_of_what_is_closed_is_an_error) {
  on_fiber([] {
    auto [a, b] = connected();
    a.close();
    const result<> ended = await(a.finish());
    EXPECT_EQ(ended.error(), errc::closed);
  });
}

TEST(tcp, writing_nothing_is_complete_at_once_whatever_became_of_the_peer) {
  on_fiber([] {
    auto [a, b] = connected();
    ASSERT_TRUE(a.shutdown_send());
    EXPECT_TRUE(await(a.write_all({})).has_value());
    EXPECT_EQ(await(!a.write_some({})), 0U);
    EXPECT_EQ(await(a.write_all(bytes_of("x"))).error(), std::errc::broken_pipe);
  });
}

TEST(tcp, reads_what_has_arrived_and_then_the_end_after_shutdown_receive) {
  on_fiber([] {
    auto [a, b] = connected();
    await(!a.write_all(bytes_of("before")));
    std::array<std::byte, 6> first;
    await(!b.read_exactly(std::span(first).first(1)));
    ASSERT_TRUE(b.shutdown_receive());
    EXPECT_EQ(read_to_end(b), "efore");
  });
}

TEST(tcp, shutdown_receive_wakes_a_read_that_waits) {
  on_fiber([] {
    auto [a, b] = connected();
    auto reading = spawn([&] { return read_to_end(b); });
    await(yield_now());
    ASSERT_TRUE(b.shutdown_receive());
    EXPECT_EQ(await(reading), "");
  });
}

TEST(tcp, read_exactly_fails_where_the_stream_ends_before) {
  on_fiber([] {
    auto [a, b] = connected();
    await(!a.write_all(bytes_of("abc")));
    a.close();
    std::array<std::byte, 4> buffer;
    EXPECT_EQ(await(b.read_exactly(buffer)).error(), errc::end_of_stream);
  });
}

TEST(tcp, carries_megabytes_both_ways_at_once_with_chunks_of_every_size) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::size_t total = support::slowly ? 2'000'000 : 20'000'000;
  std::vector<std::byte> sent(total);
  std::mt19937 fill(seed);
  for (auto& b : sent) b = static_cast<std::byte>(fill());
  on_fiber([&] {
    auto [a, b] = connected();
    auto send = [&](tcp::stream& to, unsigned salt) {
      std::mt19937 random(seed + salt);
      std::span<const std::byte> left(sent);
      while (!left.empty()) {
        const auto chunk = left.first(std::min<std::size_t>(left.size(), 1 + random() % 300'000));
        await(!to.write_all(chunk));
        left = left.subspan(chunk.size());
      }
      EXPECT_TRUE(to.shutdown_send());
    };
    auto receive = [&](tcp::stream& from, unsigned salt) {
      std::mt19937 random(seed + salt);
      std::vector<std::byte> got;
      std::vector<std::byte> buffer(100'000);
      for (;;) {
        const auto n = await(!from.read_some(std::span(buffer).first(1 + random() % buffer.size())));
        if (n == 0) return got == sent;
        got.insert(got.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n));
      }
    };
    spawn(send, std::ref(a), 1U);
    spawn(send, std::ref(b), 2U);
    auto at_a = spawn(receive, std::ref(a), 3U);
    auto at_b = spawn(receive, std::ref(b), 4U);
    EXPECT_EQ(await(at_a), true);
    EXPECT_EQ(await(at_b), true);
  });
}

TEST(tcp, write_some_gives_how_much_there_was_room_for) {
  on_fiber([] {
    auto [a, b] = connected();
    const std::vector<std::byte> large(50'000'000);
    const auto written = await(!a.write_some(large));
    EXPECT_GT(written, 0U);
    EXPECT_LT(written, large.size());
    EXPECT_EQ(await(!a.write_some({})), 0U);
  });
}

template <class Body>
std::string what_fails(Body body) {
  try {
    body();
  } catch (const std::system_error& e) {
    return e.what();
  }
  return "nothing";
}

TEST(tcp, messages_of_thrown_errors_say_what_failed_and_with_whom) {
  on_fiber([] {
    auto [a, b] = connected();
    const std::string peer = to_string(*b.remote());
    reset(a);
    std::array<std::byte, 1> buffer;
    EXPECT_EQ(what_fails([&] { (void)await(!b.read_some(buffer)); }), "read_some " + peer + ": Connection reset by peer");
    EXPECT_EQ(what_fails([&] { await(!b.write_all(buffer)); }), "write_all " + peer + ": Broken pipe");
    EXPECT_EQ(to_string(*b.remote()), peer) << "after the connection has broken";

    const std::string nobody = to_string(any_port().local());
    EXPECT_EQ(what_fails([&] { (void)await(!tcp::connect(nobody)); }), "connect " + nobody + ": Connection refused");
    std::string in_a_task;
    auto task_that_fails = [&]() -> task<> {
      try {
        (void)co_await !tcp::connect(nobody);
      } catch (const std::system_error& e) {
        in_a_task = e.what();
      }
    };
    await(task_that_fails());
    EXPECT_EQ(in_a_task, "connect " + nobody + ": Connection refused");
    b.close();
    EXPECT_EQ(what_fails([&] { (void)await(!b.read_some(buffer)); }), "read_some: closed");
  });
}

TEST(tcp, messages_say_with_whom_also_where_another_strand_has_closed_meanwhile) {
  on_fiber([] {
    auto [a, b] = connected();
    const std::string peer = to_string(*b.remote());
    std::string dumps;
    const auto write = [&] {
      const std::string message = what_fails([&] { await(!b.write_all(std::vector<std::byte>(64 << 20))); });
      b.close();
      dumps += dump();
      return message;
    };
    auto one = spawn(write), other = spawn(write);
    for (int i = 0; i < 10; ++i) await(yield_now());
    reset(a);
    EXPECT_TRUE(await(one).value().starts_with("write_all " + peer + ": "));
    EXPECT_TRUE(await(other).value().starts_with("write_all " + peer + ": "));
    EXPECT_NE(dumps.find(" write_all " + peer), dumps.npos) << dumps;
  });
}

TEST(tcp, a_reset_is_an_error_and_never_a_signal) {
  std::signal(SIGPIPE, [](int) { FAIL() << "SIGPIPE"; });
  on_fiber([] {
    auto [a, b] = connected();
    reset(a);
    std::array<std::byte, 4> buffer;
    EXPECT_EQ(await(b.read_some(buffer)).error(), std::errc::connection_reset);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(await(b.write_all(bytes_of("x"))).error(), std::errc::broken_pipe);
  });
  std::signal(SIGPIPE, SIG_DFL);
}

TEST(tcp, a_reset_after_some_of_what_is_read_is_no_end_of_the_stream) {
  on_fiber([] {
    auto [a, b] = connected();
    auto reader = spawn([&] {
      std::array<std::byte, 20> all;
      return await(b.read_exactly(all)).error();
    });
    await(sleep_for(1ms));  // so that it waits, mostly
    await(!a.write_all(bytes_of("0123456789")));
    await(sleep_for(1ms));
    reset(a);
    EXPECT_EQ(await(reader).value(), std::errc::connection_reset);
  });
}

TEST(tcp, connects_to_an_endpoint_given_as_text) {
  auto listener = any_port();
  const std::string where = to_string(listener.local());
  on_fiber([&] { EXPECT_EQ(await(!tcp::connect(where)).remote().value(), listener.local()); });
  run([&]() -> task<> {
    const auto peer = co_await !tcp::connect(where);
    EXPECT_EQ(peer.remote().value(), listener.local());
  }());
}

TEST(tcp, connect_to_a_text_that_is_no_endpoint_is_an_error_that_says_what_one_is) {
  on_fiber([] { EXPECT_EQ(await(tcp::connect("localhost:80")).error(), errc::invalid_endpoint); });
  const auto failed = run(tcp::connect("127.0.0.1"));
  EXPECT_EQ(failed.error(), errc::invalid_endpoint);
  EXPECT_NE(failed.error().message().find("ADDRESS:PORT"), std::string::npos);
}

TEST(tcp, connect_to_nobody_is_refused) {
  on_fiber([] {
    auto listener = any_port();
    const endpoint nobody = listener.local();
    listener.close();
    EXPECT_EQ(await(tcp::connect(nobody)).error(), std::errc::connection_refused);
  });
}

TEST(tcp, closing_completes_what_waits_and_what_comes_later_with_closed) {
  on_fiber([] {
    auto [a, b] = connected();
    auto listener = any_port();
    auto reading = spawn([&] { return read_to_end(b); });
    auto accepting = spawn([&]() -> result<> {
      const auto peer = await(listener.accept());
      if (!peer) return detail::fail(peer.error());
      return {};
    });
    await(yield_now());
    b.close();
    listener.close();
    std::error_code code;
    try {
      (void)await(reading);
    } catch (const std::system_error& e) {
      code = e.code();
    }
    EXPECT_EQ(code, errc::closed);
    EXPECT_EQ(await(accepting).error(), errc::closed);
    std::array<std::byte, 4> buffer;
    EXPECT_EQ(await(b.read_some(buffer)).error(), errc::closed);
    EXPECT_EQ(await(b.write_all(bytes_of("x"))).error(), errc::closed);
    EXPECT_EQ(b.remote().error(), errc::closed);
    EXPECT_EQ(b.shutdown_send().error(), errc::closed);
    EXPECT_EQ(await(listener.accept()).error(), errc::closed);
  });
}

TEST(tcp, a_stopped_read_loses_nothing) {
  on_fiber([] {
    auto [a, b] = connected();
    auto reading = spawn([&] { return read_to_end(b); });
    await(yield_now());
    reading.request_stop();
    EXPECT_EQ(await(reading).error(), errc::stopped);
    await(!a.write_all(bytes_of("still there")));
    a.close();
    EXPECT_EQ(read_to_end(b), "still there");
  });
}

TEST(tcp, a_stopped_read_exactly_loses_what_it_has_read) {
  on_fiber([] {
    auto [a, b] = connected();
    await(!a.write_all(bytes_of("lost, ")));
    std::array<std::byte, 100> buffer{};
    auto reading = spawn([&] { return await(b.read_exactly(buffer)); });
    while (text_of(std::span(buffer).first(6)) != "lost, ") await(yield_now());
    reading.request_stop();
    EXPECT_EQ(await(reading).error(), errc::stopped);
    await(!a.write_all(bytes_of("and there")));
    a.close();
    EXPECT_EQ(read_to_end(b), "and there");
  });
}

TEST(tcp, a_stopped_connect_closes_its_socket) {
  on_fiber([] {
    // A listener whose queue is full lets a further connection wait.
    auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0"), {.backlog = 0}));
    std::vector<join_handle<tcp::stream>> connecting;
    for (int i = 0; i < 4; ++i) connecting.push_back(spawn([&] { return await(!tcp::connect(listener.local())); }));
    for (int i = 0; i < 10; ++i) await(yield_now());
    for (auto& handle : connecting) handle.request_stop();
    int waited = 0;
    for (auto& handle : connecting) {
      const auto ended = await(handle);
      waited += !ended && ended.error() == errc::stopped;
    }
    EXPECT_GT(waited, 0);
  });
}

TEST(tcp, many_strands_may_accept_from_one_listener) {
  on_fiber([] {
    auto listener = any_port();
    std::vector<join_handle<tcp::stream>> accepting;
    for (int i = 0; i < 5; ++i) accepting.push_back(spawn([&] { return await(!listener.accept()); }));
    await(yield_now());
    std::vector<tcp::stream> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(await(!tcp::connect(listener.local())));
    for (auto& handle : accepting) EXPECT_TRUE(await(handle).has_value());
  });
}

TEST(tcp, streams_and_listeners_survive_the_runtime_they_were_used_in) {
  auto listener = any_port();
  std::vector<tcp::stream> kept;
  on_fiber([&] {
    auto connecting = spawn([&] { return await(!tcp::connect(listener.local())); });
    kept.push_back(await(!listener.accept()));
    kept.push_back(std::move(*await(connecting)));
    std::array<std::byte, 4> buffer;
    auto waiting = spawn([&] { return await(kept[0].read_some(buffer)); });
    await(yield_now());
    waiting.request_stop();
    EXPECT_EQ(await(waiting).error(), errc::stopped);
  });
  on_fiber([&] {
    await(!kept[1].write_all(bytes_of("again")));
    kept[1].close();
    EXPECT_EQ(read_to_end(kept[0]), "again");
  });
}

TEST(tcp, binding_a_port_in_use_is_an_error) {
  auto listener = any_port();
  EXPECT_EQ(tcp::listener::bind(listener.local()).error(), std::errc::address_in_use);
}

TEST(tcp, out_of_descriptors_is_an_error_after_which_the_connection_still_waits) {
  if (config::sanitized) GTEST_SKIP() << "the sanitizers need descriptors for their checks";
  on_fiber([] {
    auto listener = any_port();
    auto client = await(!tcp::connect(listener.local()));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = ::dup(0);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto refused = await(listener.accept());
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(refused.error(), std::errc::too_many_files_open);
    EXPECT_TRUE(await(listener.accept()));
  });
}

}  // namespace
