// examples/http_server: limits, times that run out, peers that do not behave, and its end.
#include <poll.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <cordage/base/config.hpp>

#include "guarded_io.hpp"
#include "http_server_test.hpp"
#include "slowly.hpp"

namespace {

using namespace support;

class http_refusal : public http_server_test {
 protected:
  // Sends, and megabytes more that nobody reads the meaning of: the answer arrives nevertheless, and then the end.
  void expect_refusal(const std::string& bytes, int status) {
    SCOPED_TRACE(bytes.substr(0, 60));
    http_client peer(*server_);
    peer.send_all(bytes);
    const std::string more(1 << 20, 'x');
    for (int i = 0; i < 4; ++i) peer.send_all(more);
    const auto answer = peer.receive();
    EXPECT_EQ(answer.status, status);
    EXPECT_TRUE(answer.has("Connection: close")) << answer.head;
    EXPECT_TRUE(answer.body.starts_with(std::to_string(status))) << answer.body;
    EXPECT_EQ(peer.rest(), "");
  }
};

TEST_P(http_refusal, says_what_is_wrong_before_it_ends_the_connection) {
  start({"--max-header", "1000", "--max-body", "1000", "--patience", for_ever});
  const std::string chunks = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  expect_refusal("\x16\x03\x01 this is not HTTP", 400);
  expect_refusal("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400);
  expect_refusal("GET / HTTP/1.1\r\n\r\n", 400);
  expect_refusal("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413);
  expect_refusal(chunks + "3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\n", 413);
  expect_refusal("GET /", 414);
  expect_refusal("GET / HTTP/1.1\r\nHost: ", 431);
  expect_refusal("GRUMBLE / HTTP/1.1\r\nHost: x\r\n\r\n", 501);
  expect_refusal("GET / HTTP/3.7\r\nHost: x\r\n\r\n", 505);
}

TEST_P(http_refusal, comes_behind_the_answers_to_the_requests_before) {
  start();
  http_client peer(*server_);
  peer.send_all(get("/") + get("/wait/1ms") + "}{\r\n\r\n" + get("/"));
  EXPECT_EQ(peer.receive().status, 200);
  EXPECT_EQ(peer.receive().status, 200);
  EXPECT_EQ(peer.receive().status, 400);
  EXPECT_EQ(peer.rest(), "");
}

// It does not listen for ever to a peer that has its answer.
TEST_P(http_refusal, of_a_peer_that_does_not_end_the_connection_takes_no_longer_than_its_patience) {
  start({"--patience", "1ms"});
  expect_served();
  server_->settle();
  const std::size_t before = server_->descriptors();
  http_client peer(*server_);
  EXPECT_EQ(peer.ask("}{\r\n\r\n").status, 400);
  eventually("the server has closed the connection", [&] { return server_->descriptors() == before; });
}

TEST_P(http_refusal, is_408_for_a_request_that_trickles) {
  start({"--request-timeout", "100ms", "--idle-timeout", for_ever});
  for (const std::string& begin : {std::string("GET /"), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + std::string(5000, 'x')}) {
    http_client peer(*server_);
    peer.send_all(get("/") + begin);
    EXPECT_EQ(peer.receive().status, 200);
    eventually("the answer", [&] {
      if (!peer.has_arrivals()) peer.send_all("x");
      return peer.has_arrivals();
    });
    EXPECT_EQ(peer.receive().status, 408);
    EXPECT_EQ(peer.rest(), "");
  }
}

INSTANTIATE_TEST_SUITE_P(styles, http_refusal, testing::Values("task", "fiber"), name_of_http_style);

class http_time : public http_server_test {};

TEST_P(http_time, of_a_request_that_arrives_in_one_piece_is_not_taken) {
  start({"--request-timeout", "1ms"});
  http_client peer(*server_);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(peer.ask(get("/")).status, 200);
}

// The second half of each arrives together with the first half of the next, for longer than any one of them may take.
TEST_P(http_time, of_a_request_begins_with_its_own_first_byte) {
  start({"--request-timeout", "2s"});
  http_client peer(*server_);
  const std::string request = get("/");
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
  for (peer.send_all(request.substr(0, 10)); std::chrono::steady_clock::now() < end;) {
    ASSERT_EQ(peer.ask(request.substr(10) + request.substr(0, 10)).status, 200);
  }
}

TEST_P(http_time, of_a_peer_that_asks_nothing_runs_out) {
  start({"--idle-timeout", "50ms"});
  http_client silent(*server_), asked_once(*server_);
  EXPECT_EQ(asked_once.ask(get("/")).status, 200);
  EXPECT_EQ(silent.rest(), "");
  EXPECT_EQ(asked_once.rest(), "");
}

TEST_P(http_time, of_the_handler_is_not_that_of_the_peer) {
  start({"--idle-timeout", "50ms", "--request-timeout", "50ms"});
  http_client peer(*server_);
  EXPECT_EQ(peer.ask(get("/wait/500ms")).status, 200);
}

INSTANTIATE_TEST_SUITE_P(styles, http_time, testing::Values("task", "fiber"), name_of_http_style);

class http_peer : public http_server_test {
 protected:
  // Asks and does not read until neither the server nor the system takes any more; how many requests these were.
  std::size_t ask_until_stuck(http_client& peer, const std::string& request) {
    std::string many;
    while (many.size() < 65536) many += request;
    std::size_t sent = 0;
    for (bool stuck = false; !stuck;) {
      const std::size_t count = peer.send_at_once(std::string_view(many).substr(sent % request.size()));
      sent += count;
      if (count != 0) continue;
      server_->settle();
      stuck = !is_ready(peer.fd(), POLLOUT);
    }
    return sent / request.size();
  }
};

TEST_P(http_peer, that_goes_in_the_middle_of_a_body_is_forgotten) {
  start();
  {
    http_client peer(*server_);
    peer.send_all(post(std::string(100'000, 'x')).substr(0, 50'000));
    server_->settle();
    peer.half_close();
    EXPECT_EQ(peer.rest(), "");
  }
  for (int i = 0; i < 20; ++i) connect_and_reset(server_->port(), post(std::string(1000, 'x')).substr(0, 500));
  expect_served();
  server_->send_signal_asleep(SIGTERM);
  EXPECT_EQ(expect_end().output, "served 22 connections, 1 requests\n");
}

TEST_P(http_peer, that_does_not_read_costs_no_memory_and_gets_all_answers_when_it_does) {
  constexpr std::size_t most_growth = support::slowly ? 16 << 20 : 2 << 20;  // ASan puts aside what is freed, an emulator what it translates
  start({"--idle-timeout", for_ever, "--request-timeout", for_ever});
  expect_served();
  const std::size_t before = server_->memory();
  http_client peer(*server_, {.receive_buffer = 4096});
  const std::size_t asked = ask_until_stuck(peer, post(std::string(500, 'x')));
  EXPECT_LE(server_->memory(), before + most_growth) << "after " << asked << " requests";
  expect_served();
  peer.half_close();
  for (std::size_t i = 0; i < asked; ++i) ASSERT_EQ(peer.receive().body, std::string(500, 'x')) << i;
  EXPECT_EQ(peer.rest(), "");
}

TEST_P(http_peer, that_does_not_read_is_given_up_after_a_while) {
  start({"--idle-timeout", "100ms"});
  expect_served();
  server_->settle();
  const std::size_t before = server_->descriptors();
  http_client peer(*server_, {.receive_buffer = 4096});
  const std::string request = get("/status");
  // It may be given up while it is still asking.
  try {
    ask_until_stuck(peer, request);
  } catch (const std::system_error&) {
  }
  eventually("the server has closed the connection", [&] { return server_->descriptors() == before; });
  expect_served();
}

TEST_P(http_peer, has_to_wait_for_its_turn_where_there_are_too_many) {
  start({"--max-connections", "1"});
  http_client second_to_come(*server_);
  EXPECT_EQ(second_to_come.ask(get("/")).status, 200);
  http_client waits(*server_);
  waits.send_all(get("/"));
  server_->settle();
  EXPECT_FALSE(waits.has_arrivals());
  second_to_come.half_close();
  EXPECT_EQ(waits.receive().status, 200);
}

INSTANTIATE_TEST_SUITE_P(styles, http_peer, testing::Values("task", "fiber"), name_of_http_style);

class http_drain : public http_server_test {
 protected:
  void expect_closed_listener() {
    eventually("connections are refused", [&] { return is_refused(server_->port()); });
  }
};

TEST_P(http_drain, ends_idle_connections_at_once) {
  start({"--patience", for_ever, "--idle-timeout", for_ever});
  http_client peer(*server_), silent(*server_);
  EXPECT_EQ(peer.ask(get("/")).status, 200);
  server_->send_signal_asleep(SIGTERM);
  EXPECT_EQ(peer.rest(), "");
  EXPECT_EQ(silent.rest(), "");
  EXPECT_EQ(expect_end().output, "served 2 connections, 1 requests\n");
}

TEST_P(http_drain, answers_requests_that_had_arrived) {
  start({"--patience", for_ever});
  http_client peer(*server_);
  EXPECT_EQ(peer.ask(get("/")).status, 200);
  server_->send_signal_asleep(SIGSTOP);
  server_->wait_until_stopped();
  peer.send_all(get("/") + get("/wait/1ms") + post("bye"));
  eventually("the requests have arrived", [&] { return peer.unacknowledged() == 0; });
  server_->send_signal(SIGINT);
  server_->send_signal(SIGCONT);
  EXPECT_EQ(peer.receive().body, "Hello world\n");
  EXPECT_EQ(peer.receive().body, "thank you for waiting\n");
  EXPECT_EQ(peer.receive().body, "bye");
  EXPECT_EQ(peer.rest(), "");
  EXPECT_EQ(expect_end().output, "served 1 connections, 4 requests\n");
}

// Where the wait is over before the server has begun to drain, it tries with a longer one.
TEST_P(http_drain, waits_for_requests_that_are_being_answered_and_says_that_these_are_the_last) {
  for (const std::string time : {"500ms", "5s", "50s"}) {
    start({"--patience", for_ever});
    http_client peer(*server_);
    peer.send_all(get("/wait/" + time) + get("/"));
    server_->send_signal_asleep(SIGTERM);
    expect_closed_listener();
    const bool in_time = !peer.has_arrivals();
    const auto first = peer.receive(), last = peer.receive();
    EXPECT_EQ(first.body, "thank you for waiting\n");
    EXPECT_EQ(last.body, "Hello world\n");
    EXPECT_EQ(peer.rest(), "");
    const std::string counts = expect_end().output;
    EXPECT_TRUE(counts.ends_with(" connections, 2 requests\n")) << counts;
    EXPECT_FALSE(first.has("Connection: close"));
    if (!in_time) continue;
    EXPECT_TRUE(last.has("Connection: close")) << last.head;
    return;
  }
  FAIL() << "it never began to drain before the answer was there";
}

TEST_P(http_drain, stops_what_takes_longer_than_its_patience) {
  start({"--patience", "1ms"});
  http_client peer(*server_);
  peer.send_all(get("/wait/60s"));
  server_->send_signal_asleep(SIGTERM);
  EXPECT_EQ(peer.rest(), "");
  EXPECT_EQ(expect_end().output, "served 1 connections, 0 requests\n");
}

TEST_P(http_drain, is_cut_short_by_a_second_signal) {
  start({"--patience", for_ever});
  http_client peer(*server_);
  peer.send_all(get("/wait/60s"));
  server_->send_signal_asleep(SIGTERM);
  expect_closed_listener();
  EXPECT_FALSE(server_->has_ended());
  server_->send_signal(SIGTERM);
  EXPECT_EQ(server_->wait().signal, SIGTERM);
}

INSTANTIATE_TEST_SUITE_P(styles, http_drain, testing::Values("task", "fiber"), name_of_http_style);

}  // namespace
