// What echo_server says when it is asked, by a signal, what its connections wait for.
#include <csignal>
#include <cstddef>
#include <string>

#include "echo_server_test.hpp"

namespace {

using namespace support;

class a_server_that_is_asked : public echo_server_test {};

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++found;
  return found;
}

TEST_P(a_server_that_is_asked, says_what_each_connection_waits_for_and_goes_on_serving) {
  auto& server = start();
  client one(server.port()), other(server.port()), third(server.port());
  for (client* each : {&one, &other, &third}) EXPECT_EQ(each->round_trip("before\n"), "before\n");
  server.send_signal_asleep(SIGUSR1);
  server.settle();
  for (client* each : {&one, &other, &third}) EXPECT_EQ(each->round_trip("after\n"), "after\n");
  client fourth(server.port());
  EXPECT_EQ(fourth.round_trip("new\n"), "new\n");
  for (client* each : {&one, &other, &third, &fourth}) each->half_close();
  server.send_signal_asleep(SIGTERM);
  const ending end = server.wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(count(end.errors, "cordage: "), 1U) << end.errors;
  EXPECT_EQ(count(end.errors, "    " + GetParam() + " waits for read_some 127.0.0.1:"), 3U) << end.errors;
  EXPECT_EQ(count(end.errors, "    task waits for accept\n"), 1U) << end.errors;
  EXPECT_EQ(count(end.errors, "  task waits for serve\n"), 1U) << end.errors;
  if (GetParam() == "task") {
    EXPECT_EQ(count(end.errors, "       in echo_task(cordage::tcp::stream)\n"), 3U) << end.errors;
  }
}

INSTANTIATE_TEST_SUITE_P(styles, a_server_that_is_asked, both_styles, name_of_style);

}  // namespace
