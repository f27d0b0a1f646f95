// What echo_server says of itself, and how it refuses a wrong command line.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <ostream>
#include <string>
#include <vector>

#include <cordage/runtime.hpp>

#include "echo_server_test.hpp"
#include "guarded_io.hpp"
#include "owned_fd.hpp"
#include "system_calls.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;

ending run_to_the_end(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), echo_server_path);
  return child_process(arguments).wait();
}

const std::vector<wrong_command_line> wrong_command_lines{
    {"an_unknown_option", {"--colour", "red"}, "there is no option \"--colour\""},
    {"an_option_of_one_letter", {"-p", "1"}, "there is no option \"-p\""},
    {"an_option_without_its_value", {"--port"}, "--port requires a value"},
    {"an_argument_too_many", {"--port", "0", "7007"}, "unexpected argument \"7007\""},
    {"a_port_that_is_no_number", {"--port", "http"}, "--port takes a number from 0 to 65535, not \"http\""},
    {"a_port_with_something_behind_it",
     {"--port", "80x"},
     "--port takes a number from 0 to 65535, not \"80x\""},
    {"a_port_that_is_too_large", {"--port", "65536"}, "--port takes a number from 0 to 65535, not \"65536\""},
    {"a_port_below_zero", {"--port", "-1"}, "--port takes a number from 0 to 65535, not \"-1\""},
    {"an_empty_port", {"--port", ""}, "--port takes a number from 0 to 65535, not \"\""},
    {"no_connections_at_all", {"--max-connections", "0"}, "--max-connections takes a number from 1 to "},
    {"a_fraction_of_a_connection",
     {"--max-connections", "1.5"},
     "--max-connections takes a number from 1 to "},
    {"a_time_without_a_unit", {"--idle-timeout", "30"}, "--idle-timeout takes a time from 1ms to 1000000m, as 500ms, 30s or 2m, not \"30\""},
    {"no_time_at_all", {"--idle-timeout", "0s"}, "--idle-timeout takes a time from 1ms"},
    {"a_time_that_is_no_number", {"--idle-timeout", "soon"}, "--idle-timeout takes a time from 1ms"},
    {"an_unknown_style", {"--style", "thread"}, "--style is task or fiber, not \"thread\""},
    {"an_unknown_backend", {"--backend", "select"}, "--backend is epoll, io_uring, kqueue or auto, not \"select\""},
    {"a_name_for_an_address", {"--host", "localhost"}, "\"localhost\" is no address to listen on: not a numeric ADDRESS:PORT"},
    {"a_malformed_ipv4_address", {"--host", "127.0.0.256"}, "\"127.0.0.256\" is no address to listen on"},
    {"a_malformed_ipv6_address", {"--host", "::1::"}, "\"::1::\" is no address to listen on"},
    // 192.0.2.0/24 is for documentation (RFC 5737), so no machine has it.
    {"an_address_of_another_machine",
     {"--host", "192.0.2.1", "--port", "0"},
     "cannot listen on 192.0.2.1:0: Cannot assign requested address"},
};

class a_wrong_command_line : public testing::TestWithParam<wrong_command_line> {};

TEST_P(a_wrong_command_line, is_refused_with_the_reason_and_the_usage) {
  expect_refusal(echo_server_path, GetParam());
}

INSTANTIATE_TEST_SUITE_P(each, a_wrong_command_line, testing::ValuesIn(wrong_command_lines),
                         name_of_command_line);

TEST(command_line_help, is_the_usage_on_standard_output) {
  const ending end = run_to_the_end({"--help"});
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output.find("usage: echo_server "), 0U) << end.output;
  EXPECT_EQ(end.errors, "");
}

class command_line : public echo_server_test {};

// The socket of the test listens without SO_REUSEADDR, so nobody else can.
TEST_P(command_line, a_port_in_use_is_refused_by_its_name) {
  const owned_fd taken = open_stream_socket(AF_INET);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(taken.get(), generic, size), 0);
  ASSERT_EQ(::listen(taken.get(), 1), 0);
  ASSERT_EQ(::getsockname(taken.get(), generic, &size), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));
  expect_refusal(echo_server_path, {"--port", port, "--style", GetParam()},
                 "cannot listen on 127.0.0.1:" + port + ": Address already in use");
}

TEST_P(command_line, a_second_server_on_the_same_port_is_refused_and_the_first_goes_on) {
  const auto& first = start();
  const std::string port = std::to_string(first.port());
  expect_refusal(echo_server_path, {"--port", port, "--style", GetParam()},
                 "cannot listen on 127.0.0.1:" + port + ": Address already in use");
  client peer(first.port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
}

TEST_P(command_line, the_server_says_where_and_how_it_serves) {
  const std::string backend(cordage::runtime().backend_name());
  const auto& server = start({"--backend", backend});
  EXPECT_EQ(server.greeting(), "listening on 127.0.0.1:" + std::to_string(server.port()) + " (" + GetParam() +
                                   ", " + backend + ", 1 worker)");
  client peer(server.port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
}

TEST_P(command_line, a_port_that_was_just_let_go_of_can_be_listened_on_again) {
  const std::string port = std::to_string([&] {
    auto& first = start();
    client peer(first.port());
    EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
    first.send_signal_asleep(SIGTERM);
    // The server ends the connection first, so that its side lingers in TIME_WAIT.
    EXPECT_EQ(peer.receive_until_end(), "");
    EXPECT_EQ(first.wait().exit_code, 0);
    return first.port();
  }());
  const auto& second = start({"--port", port});
  EXPECT_EQ(std::to_string(second.port()), port);
  client peer(second.port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
}

INSTANTIATE_TEST_SUITE_P(styles, command_line, both_styles, name_of_style);

}  // namespace
