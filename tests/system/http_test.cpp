// examples/http_server: what it answers, to curl, to wrk, and to requests written by hand.
#include <csignal>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "guarded_io.hpp"
#include "http_server_test.hpp"
#include "seeded_bytes.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;

class http : public http_server_test {
 protected:
  std::string url(const std::string& target) const {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + target;
  }
  ending curl(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), {"curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60"});
    child_process program(arguments, {.feeds_input = true});
    write_all(program.input(), input);
    program.close_input();
    const ending end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end;
    return end;
  }
};

TEST_P(http, says_where_it_listens) {
  const auto& server = start();
  EXPECT_TRUE(server.greeting().starts_with("listening on 127.0.0.1:" + std::to_string(server.port()) + " (" + GetParam() + ", "));
  EXPECT_TRUE(server.greeting().ends_with(", 1 worker)"));
}

TEST_P(http, greets_curl) {
  start();
  const std::string got = curl({"-i", url("/")}).output;
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << got;
  EXPECT_TRUE(got.ends_with(" GMT\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello world\n")) << got;
}

TEST_P(http, answers_HEAD_without_a_body) {
  start();
  const std::string got = curl({"--head", url("/")}).output;
  EXPECT_TRUE(got.ends_with("\r\nContent-Length: 12\r\n\r\n")) << got;
  http_client peer(*server_);
  peer.send_all("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get("/"));
  EXPECT_TRUE(peer.receive(true).has("Content-Length: 12"));
  EXPECT_EQ(peer.receive().body, "Hello world\n");
}

TEST_P(http, curl_uses_its_connection_again) {
  start();
  const std::string got = curl({"-w", "%{num_connects}\n", url("/"), url("/wait/1ms"), url("/")}).output;
  EXPECT_EQ(got, "Hello world\n1\nthank you for waiting\n0\nHello world\n0\n");
}

TEST_P(http, sends_back_a_large_body_that_curl_announces_first) {
  start();
  const std::string body = seeded_bytes(choose_seed()).next(1'000'000);
  const ending end = curl({"-v", "-H", "Expect: 100-continue", "--expect100-timeout", "1000", "--data-binary", "@-", url("/echo")}, body);
  EXPECT_TRUE(end.output == body) << end.output.size();
  EXPECT_NE(end.errors.find("< HTTP/1.1 100 Continue"), std::string::npos) << end.errors;
}

TEST_P(http, sends_back_a_body_that_curl_sends_in_chunks) {
  start();
  const std::string body = seeded_bytes(choose_seed()).next(1'000'000);
  const ending end = curl({"-H", "Transfer-Encoding: chunked", "--data-binary", "@-", url("/echo")}, body);
  EXPECT_TRUE(end.output == body) << end.output.size();
}

TEST_P(http, tells_curl_that_a_body_is_too_long_though_it_goes_on_sending) {
  start();
  for (const char* expect : {"Expect:", "Expect: 100-continue"}) {
    const ending end = curl({"-H", expect, "-w", "%{http_code}", "--data-binary", "@-", url("/echo")}, std::string(3'000'000, 'x'));
    EXPECT_EQ(end.output, "413 Content Too Large\n413");
  }
}

TEST_P(http, serves_wrk) {
  start();
  const ending end = child_process({"wrk", "-t1", "-c16", "-d1s", url("/")}).wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_NE(end.output.find(" requests in "), std::string::npos) << end;
  EXPECT_EQ(end.output.find("Socket errors"), std::string::npos) << end;
  EXPECT_EQ(end.output.find("Non-2xx"), std::string::npos) << end;
}

TEST_P(http, knows_its_routes) {
  start();
  http_client peer(*server_);
  EXPECT_EQ(peer.ask(get("/nowhere")).status, 404);
  EXPECT_EQ(peer.ask(get("/wait/61s")).status, 404);
  EXPECT_EQ(peer.ask(get("/wait/soon")).status, 404);
  for (const std::string target : {"/", "/status", "/wait/1ms"}) {
    const auto wrong = peer.ask("POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(wrong.status, 405) << target;
    EXPECT_TRUE(wrong.has("Allow: GET, HEAD")) << wrong.head;
  }
  const auto wrong = peer.ask(get("/echo"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_TRUE(wrong.has("Allow: POST")) << wrong.head;
  EXPECT_EQ(peer.ask(get("/status")).body, "{\"connections\":1,\"open\":1,\"requests\":7}\n");
}

TEST_P(http, answers_pipelined_requests_in_order) {
  start();
  http_client peer(*server_);
  std::string all;
  for (int i = 0; i < 1000; ++i) all += i % 100 == 99 ? get("/wait/1ms") : post(std::to_string(i));
  peer.send_all(all);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(peer.receive().body, i % 100 == 99 ? "thank you for waiting\n" : std::to_string(i));
  }
}

TEST_P(http, sends_what_it_has_before_it_waits) {
  start({"--patience", "1ms"});
  http_client peer(*server_);
  peer.send_all(get("/") + get("/wait/60s"));
  EXPECT_EQ(peer.receive().body, "Hello world\n");
}

TEST_P(http, takes_a_request_in_single_bytes) {
  start();
  http_client peer(*server_);
  for (const char c : post("hello")) {
    peer.send_all({&c, 1});
    server_->settle();
  }
  EXPECT_EQ(peer.receive().body, "hello");
}

TEST_P(http, ends_the_connection_where_the_request_wants_that) {
  start();
  http_client one(*server_), other(*server_), old(*server_);
  const auto answer = one.ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + get("/"));
  EXPECT_TRUE(answer.has("Connection: close")) << answer.head;
  EXPECT_EQ(one.rest(), "");
  EXPECT_TRUE(other.ask("GET / HTTP/1.0\r\n\r\n").has("Connection: close"));
  EXPECT_EQ(other.rest(), "");
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(old.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").has("Connection: keep-alive"));
  }
}

TEST_P(http, answers_who_has_half_closed) {
  start();
  http_client peer(*server_);
  peer.send_all(get("/wait/1ms") + get("/"));
  peer.half_close();
  EXPECT_EQ(peer.receive().body, "thank you for waiting\n");
  EXPECT_EQ(peer.receive().body, "Hello world\n");
  EXPECT_EQ(peer.rest(), "");
}

TEST_P(http, says_what_its_connections_wait_for) {
  start();
  http_client reads(*server_), waits(*server_);
  EXPECT_EQ(reads.ask(get("/")).status, 200);
  waits.send_all(get("/wait/60s"));
  server_->send_signal_asleep(SIGUSR1);
  eventually("the dump", [&] { return server_->errors_so_far().find("waits for sleep") != std::string::npos; });
  EXPECT_NE(server_->errors_so_far().find("waits for read_some 127.0.0.1:"), std::string::npos) << server_->errors_so_far();
  server_->send_signal_asleep(SIGTERM);
  eventually("connections are refused", [&] { return is_refused(server_->port()); });
  server_->send_signal(SIGINT);
  EXPECT_EQ(server_->wait().signal, SIGINT);
}

INSTANTIATE_TEST_SUITE_P(styles, http, testing::Values("task", "fiber"), name_of_http_style);

class http_with_a_wrong_command_line : public testing::TestWithParam<wrong_command_line> {};

TEST_P(http_with_a_wrong_command_line, says_what_is_wrong_and_how_it_is_used) {
  expect_refusal(http_server_path, GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, http_with_a_wrong_command_line,
    testing::Values(wrong_command_line{"an_address_that_is_a_name", {"--listen", "localhost:80"}, "--listen takes ADDRESS:PORT in numbers"},
                    wrong_command_line{"a_style_that_there_is_not", {"--style", "thread"}, "--style is task or fiber, not \"thread\""},
                    wrong_command_line{"no_connections", {"--max-connections", "0"}, "--max-connections takes a number from 1 to "},
                    wrong_command_line{"a_small_header", {"--max-header", "1"}, "--max-header takes a number from 64 to 1048576, not \"1\""},
                    wrong_command_line{"a_large_body", {"--max-body=2000000000"}, "--max-body takes a number from 0 to 1073741824"},
                    wrong_command_line{"a_time_without_a_unit", {"--idle-timeout", "30"}, "--idle-timeout takes a time from 1ms to 1000000m, as 500ms, 30s or 2m"},
                    wrong_command_line{"no_time", {"--request-timeout"}, "--request-timeout requires a value"},
                    wrong_command_line{"an_unknown_option", {"--port", "1"}, "there is no option \"--port\""},
                    wrong_command_line{"a_word", {"80"}, "unexpected argument \"80\""}),
    name_of_command_line);

TEST(http_command_line, asked_for_help_says_how_it_is_used) {
  const ending end = child_process({http_server_path, "--help"}).wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_TRUE(end.output.starts_with("usage: http_server ")) << end;
  EXPECT_EQ(end.errors, "");
}

}  // namespace
