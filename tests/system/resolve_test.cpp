// examples/resolve: c-ares behind suspend. Its name server is in here, on the loopback, so that no network is needed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "child_process.hpp"
#include "owned_fd.hpp"

namespace {

using namespace support;

const std::string resolve_path = std::string(CORDAGE_EXAMPLES_DIR) + "/resolve";

const std::string for_ever = "1440m";  // a day

// A name server (RFC 1035) that answers once it has been asked for `waits_for` different names of the zone: one.test is
// 192.0.2.1 and two.test 192.0.2.2. Nobody is answered who asks for other names.
class name_server {
 public:
  explicit name_server(unsigned waits_for = 1) : waits_for_(waits_for), socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    socklen_t length = sizeof at;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&at), &length);
    address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  name_server(const name_server&) = delete;
  ~name_server() {
    ::shutdown(socket_.get(), SHUT_RDWR);  // wakes it, though the socket is not connected
    thread_.join();
  }
  const std::string& address() const { return address_; }

 private:
  struct query {
    std::vector<unsigned char> message;
    sockaddr_in from;
    unsigned char number;
  };

  void serve() {
    std::vector<query> held;
    unsigned seen = 0;
    for (;;) {
      query asked{.message = std::vector<unsigned char>(512), .from = {}, .number = 0};
      socklen_t length = sizeof asked.from;
      const ssize_t received = ::recvfrom(socket_.get(), asked.message.data(), asked.message.size(), 0,
                                          reinterpret_cast<sockaddr*>(&asked.from), &length);
      if (received <= 0) return;
      asked.message.resize(static_cast<std::size_t>(received));
      const std::string_view text(reinterpret_cast<const char*>(asked.message.data()), asked.message.size());
      if (text.find("\3one\4test") != text.npos) asked.number = 1;
      if (text.find("\3two\4test") != text.npos) asked.number = 2;
      if (asked.number == 0) continue;
      seen |= asked.number;
      held.push_back(std::move(asked));
      if (seen < waits_for_) continue;
      for (query& each : held) answer(each);
      held.clear();
    }
  }

  void answer(query& asked) const {
    std::vector<unsigned char>& m = asked.message;
    // The question ends after its name, type and class; what follows, if anything, is left out.
    std::size_t end = 12;
    while (m[end] != 0) end += m[end] + 1u;
    m.resize(end + 5);
    m[2] = 0x84, m[3] = 0x00;         // an authoritative answer, no error
    m[6] = 0, m[7] = 1;               // one record
    m[8] = m[9] = m[10] = m[11] = 0;  // and nothing else
    const std::array<unsigned char, 16> record{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, asked.number};
    m.insert(m.end(), record.begin(), record.end());
    ::sendto(socket_.get(), m.data(), m.size(), 0, reinterpret_cast<const sockaddr*>(&asked.from), sizeof asked.from);
  }

  unsigned waits_for_;
  owned_fd socket_;
  std::string address_;
  std::thread thread_;
};

class resolve : public testing::Test {
 protected:
  void SetUp() override {
    if (::access(resolve_path.c_str(), X_OK) != 0) GTEST_SKIP() << "it is built where c-ares is";
  }
  static ending run(const name_server& server, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {resolve_path, "--server", server.address()});
    return child_process(arguments).wait();
  }
};

TEST_F(resolve, prints_the_address_of_a_name) {
  const name_server server;
  const ending end = run(server, {"--timeout", for_ever, "one.test"});
  EXPECT_EQ(end.output, "one.test: 192.0.2.1\n") << end;
  EXPECT_EQ(end.exit_code, 0) << end;
}

TEST_F(resolve, asks_for_all_names_at_the_same_time) {
  const name_server answers_both_or_none(3);
  const ending end = run(answers_both_or_none, {"--timeout", for_ever, "one.test", "two.test"});
  EXPECT_EQ(end.output, "one.test: 192.0.2.1\ntwo.test: 192.0.2.2\n") << end;
}

TEST_F(resolve, cancels_what_is_not_answered_in_time) {
  const name_server server;
  const ending end = run(server, {"--timeout", "50ms", "silent.test", "silent.one"});
  EXPECT_EQ(end.output, "silent.test: timed out\nsilent.one: timed out\n") << end;
  EXPECT_EQ(end.exit_code, 1) << end;
}

TEST_F(resolve, with_hardly_any_time_cancels_at_once) {
  const name_server server;
  const ending end = run(server, {"--timeout", "1ms", "silent.test", "silent.one"});  // an answer could be quick enough
  EXPECT_EQ(end.output, "silent.test: timed out\nsilent.one: timed out\n") << end;
}

TEST_F(resolve, needs_no_server_for_an_address) {
  const name_server server;
  EXPECT_EQ(run(server, {"192.0.2.7"}).output, "192.0.2.7: 192.0.2.7\n");
}

TEST_F(resolve, refuses_a_wrong_command_line) {
  const name_server server;
  EXPECT_EQ(run(server, {}).exit_code, 2);
  EXPECT_EQ(run(server, {"--timeout", "soon", "one.test"}).exit_code, 2);
  EXPECT_EQ(run(server, {"--server", "nowhere:at:all", "one.test"}).exit_code, 1);
}

}  // namespace
