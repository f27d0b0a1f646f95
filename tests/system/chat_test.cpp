// examples/chat_server: what members hear of each other, and that nobody harms the others.
#include <csignal>
#include <cstddef>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "client.hpp"
#include "guarded_io.hpp"
#include "server_program.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;

const std::string chat_server_path = CORDAGE_EXAMPLES_DIR "/chat_server";

constexpr client_options small_buffer{.receive_buffer = 4096};
const std::string for_ever = "100000s";

// Somebody at the other end, who reads whole lines.
class person : public client {
 public:
  explicit person(const server_program& server, const client_options& options = {}) : client(server.port(), options) {}

  void say(const std::string& line) { send_all(line + '\n'); }

  // Without its end.
  std::string hear() {
    std::size_t end = 0;
    while ((end = heard_.find('\n')) == heard_.npos) {
      const std::string more = receive_some();
      if (more.empty()) throw std::runtime_error("the server ended the connection after \"" + heard_ + '"');
      heard_ += more;
    }
    std::string line = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    return line;
  }
  std::string hear_until_end() { return std::exchange(heard_, {}) + receive_until_end(); }

 private:
  std::string heard_;
};

class chat : public testing::Test {
 protected:
  server_program& start(const std::vector<std::string>& further_arguments = {}) {
    std::vector<std::string> arguments{chat_server_path, "--listen", "127.0.0.1:0"};
    arguments.insert(arguments.end(), further_arguments.begin(), further_arguments.end());
    return server_.emplace(arguments);
  }

  // In the room; everybody else is told.
  person join(const std::string& name, const std::string& others, const client_options& options = {}) {
    person one(*server_, options);
    EXPECT_EQ(one.hear(), "* what is your name?");
    one.say(name);
    EXPECT_EQ(one.hear(), "* welcome, " + name + "; here are: " + others);
    return one;
  }

  // A server that the test did not end is alive, and has nothing to complain about.
  void TearDown() override {
    if (!server_ || server_->was_waited_for()) return;
    server_->send_signal_asleep(SIGTERM);
    expect_end();
  }
  ending expect_end() {
    const ending end = server_->wait();
    EXPECT_EQ(end.exit_code, 0) << end;
    EXPECT_EQ(end.errors, "");
    return end;
  }

  std::optional<server_program> server_;
};

TEST_F(chat, says_where_it_listens) {
  const auto& server = start({"--backlog", "7"});
  EXPECT_EQ(server.greeting(), "listening on 127.0.0.1:" + std::to_string(server.port()) + " (backlog 7)");
}

TEST_F(chat, sends_each_line_to_all_others_with_the_name_of_who_said_it) {
  start();
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  person carl = join("carl", "anna bob");
  EXPECT_EQ(anna.hear(), "* bob has joined");
  EXPECT_EQ(anna.hear(), "* carl has joined");
  EXPECT_EQ(bob.hear(), "* carl has joined");
  anna.say("hello");
  EXPECT_EQ(bob.hear(), "anna: hello");
  EXPECT_EQ(carl.hear(), "anna: hello");
  bob.say("how are you?");
  EXPECT_EQ(carl.hear(), "bob: how are you?");
  EXPECT_EQ(anna.hear(), "bob: how are you?") << "and not what she said herself";
}

TEST_F(chat, tells_who_leaves) {
  start();
  person anna = join("anna", "nobody else");
  for (int i = 0; i < 3; ++i) {
    { const person bob = join("bob", "anna"); }
    EXPECT_EQ(anna.hear(), "* bob has joined");
    EXPECT_EQ(anna.hear(), "* bob has left");
  }
}

TEST_F(chat, tells_who_was_torn_away) {
  start();
  person anna = join("anna", "nobody else");
  join("bob", "anna").reset();
  EXPECT_EQ(anna.hear(), "* bob has joined");
  EXPECT_EQ(anna.hear(), "* bob has left");
}

TEST_F(chat, asks_again_for_a_name_that_is_none_or_taken) {
  start();
  const person anna = join("anna", "nobody else");
  person other(*server_);
  EXPECT_EQ(other.hear(), "* what is your name?");
  for (const std::string& wrong : {std::string(), std::string(33, 'x'), std::string("two words"), std::string("a:b"),
                                   std::string("\x1b[2J")}) {
    other.say(wrong);
    EXPECT_EQ(other.hear(), "* a name is 1 to 32 letters, digits, - and _; what is yours?") << wrong;
  }
  other.say("anna");
  EXPECT_EQ(other.hear(), "* somebody here has that name; what is yours?");
  other.say("J\xc3\xbcrgen-2_b");
  EXPECT_EQ(other.hear(), "* welcome, J\xc3\xbcrgen-2_b; here are: anna");
}

TEST_F(chat, gives_a_name_to_another_when_its_owner_has_left) {
  start();
  person anna = join("anna", "nobody else");
  { const person bob = join("bob", "anna"); }
  EXPECT_EQ(anna.hear(), "* bob has joined");
  EXPECT_EQ(anna.hear(), "* bob has left");
  const person other = join("bob", "anna");
}

TEST_F(chat, does_not_tell_of_those_who_never_said_their_name) {
  start();
  person anna = join("anna", "nobody else");
  person(*server_).reset();
  {
    person silent(*server_);
    EXPECT_EQ(silent.hear(), "* what is your name?");
    silent.half_close();
    EXPECT_EQ(silent.hear_until_end(), "");
  }
  const person bob = join("bob", "anna");
  EXPECT_EQ(anna.hear(), "* bob has joined");
}

TEST_F(chat, takes_lines_in_pieces_and_several_at_a_time) {
  start();
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  for (const char c : std::string_view("slowly\r\n")) {
    anna.send_all({&c, 1});
    server_->settle();
  }
  anna.send_all("one\n\ntwo\nthr");
  anna.send_all("ee\n");
  for (const char* line : {"anna: slowly", "anna: one", "anna: ", "anna: two", "anna: three"}) EXPECT_EQ(bob.hear(), line);
}

TEST_F(chat, makes_garbage_printable) {
  start();
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  anna.send_all(std::string_view("\0\x1b[2J\a\x7f\xff\xc3\xa9\n", 11));
  EXPECT_EQ(bob.hear(), "anna: ??[2J??\xff\xc3\xa9");
}

TEST_F(chat, takes_lines_of_a_thousand_bytes_and_drops_who_sends_longer_ones) {
  start();
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  bob.say(std::string(1000, 'x'));
  bob.say(std::string(1001, 'y'));
  EXPECT_EQ(bob.hear_until_end(), "* a line has at most 1000 bytes; goodbye\n");
  EXPECT_EQ(anna.hear(), "* bob has joined");
  EXPECT_EQ(anna.hear(), "bob: " + std::string(1000, 'x'));
  EXPECT_EQ(anna.hear(), "* bob was dropped: its line is too long");
}

// It goes on sending when it was dropped, and is told nevertheless.
TEST_F(chat, drops_who_sends_a_line_that_does_not_end) {
  start({"--patience", for_ever});
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 8; ++i) bob.send_all(piece);
  EXPECT_EQ(bob.hear_until_end(), "* a line has at most 1000 bytes; goodbye\n");
  EXPECT_EQ(anna.hear(), "* bob has joined");
  EXPECT_EQ(anna.hear(), "* bob was dropped: its line is too long");
}

TEST_F(chat, a_name_that_does_not_end_is_a_line_that_is_too_long) {
  start();
  person bob(*server_);
  EXPECT_EQ(bob.hear(), "* what is your name?");
  bob.send_all(std::string(5000, 'x'));
  EXPECT_EQ(bob.hear_until_end(), "* a line has at most 1000 bytes; goodbye\n");
}

TEST_F(chat, who_half_closes_has_said_all_and_leaves) {
  start();
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  bob.send_all("one\ntwo\nunfinished");
  bob.half_close();
  EXPECT_EQ(bob.hear_until_end(), "");
  for (const char* line : {"* bob has joined", "bob: one", "bob: two", "bob: unfinished", "* bob has left"}) EXPECT_EQ(anna.hear(), line);
}

class chat_with_a_slow_member : public chat {
 protected:
  static constexpr int batch = 16;

  // One talks and one listens, at the same pace, while a third one does not read: until the listener is told that it was
  // dropped. The two are never behind by more than half of what the server keeps.
  void start_and_talk(const std::string& patience) {
    start_with(2 * batch, patience);
    bool dropped = false;
    for (int batches = 0; !dropped; ++batches) {
      ASSERT_LT(batches, 5'000) << "more than buffers of the system could hold";
      dropped = talk();
    }
  }

  void start_with(int backlog, const std::string& patience) {
    start({"--backlog", std::to_string(backlog), "--patience", patience});
    talker_.emplace(join("talker", "nobody else"));
    listener_.emplace(join("listener", "talker"));
    server_->settle();
    descriptors_before_ = server_->descriptors();
    slow_.emplace(join("slow", "listener talker", small_buffer));
    EXPECT_EQ(listener_->hear(), "* slow has joined");
  }

  // Whether the slow one was dropped meanwhile.
  bool talk() {
    std::string lines;
    for (int i = 0; i < batch; ++i) lines += std::to_string(said_ + i) + std::string(900, '.') + '\n';
    talker_->send_all(lines);
    bool dropped = false;
    for (int i = 0; i < batch;) {
      const std::string line = listener_->hear();
      if (line == "* slow was dropped: it reads too slowly") {
        dropped = true;
      } else {
        EXPECT_EQ(line, "talker: " + std::to_string(said_ + i++) + std::string(900, '.'));
      }
    }
    said_ += batch;
    return dropped;
  }

  std::optional<person> talker_, listener_, slow_;
  std::size_t descriptors_before_ = 0;  // without the slow one
  int said_ = 0;
};

TEST_F(chat_with_a_slow_member, drops_it_and_tells_it_and_the_others_miss_nothing) {
  start_and_talk(for_ever);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(talk());
  const std::string heard = slow_->hear_until_end();
  EXPECT_TRUE(heard.starts_with("talker: 0...")) << heard.substr(0, 100);
  EXPECT_TRUE(heard.ends_with("* you read too slowly and have missed messages; goodbye\n"))
      << heard.substr(heard.size() - 100);
  slow_.reset();
}

TEST_F(chat_with_a_slow_member, closes_the_connection_if_it_still_does_not_read) {
  start_and_talk("1ms");
  eventually("the connection is closed", [&] { return server_->descriptors() == descriptors_before_; });
  EXPECT_FALSE(talk());
}

// The first signal waits for the member that is behind to take what is left, which is more than the system has room for.
TEST_F(chat_with_a_slow_member, a_second_signal_ends_the_server_at_once) {
  start_with(20'000, for_ever);
  for (int batches = 0; batches < 10'000 / batch; ++batches) ASSERT_FALSE(talk());
  server_->send_signal_asleep(SIGTERM);
  EXPECT_EQ(listener_->hear(), "* the server is shutting down");
  eventually("connections are refused", [this] { return is_refused(server_->port()); });
  EXPECT_FALSE(server_->has_ended());
  server_->send_signal_asleep(SIGINT);
  const ending end = server_->wait();
  EXPECT_EQ(end.signal, SIGINT) << end;
  EXPECT_EQ(end.output, "");
}

// All of it fits into the buffers of the system, so that nobody ever has to wait for room.
TEST_F(chat, a_burst_of_lines_makes_nobody_fall_behind_who_could_take_them) {
  start({"--backlog", "1"});
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  std::string burst;
  for (int i = 0; i < 2000; ++i) burst += std::to_string(i) + '\n';
  anna.send_all(burst);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(bob.hear(), "anna: " + std::to_string(i));
}

TEST_F(chat, gets_everything_to_everybody) {
  constexpr int people = 20, lines = 50;
  start({"--backlog", "2000"});
  std::vector<person> all;
  for (int i = 0; i < people; ++i) {
    person& one = all.emplace_back(*server_);
    EXPECT_EQ(one.hear(), "* what is your name?");
    one.say("p" + std::to_string(i));
    EXPECT_TRUE(one.hear().starts_with("* welcome, p"));
  }
  for (int line = 0; line < lines; ++line) {
    for (person& one : all) one.say(std::to_string(line));
  }
  for (int i = 0; i < people; ++i) {
    std::vector<int> next(people);
    for (int heard = 0; heard < (people - 1) * lines;) {
      const std::string line = all[static_cast<std::size_t>(i)].hear();
      if (line.starts_with('*')) continue;
      const auto who = static_cast<std::size_t>(std::stoi(line.substr(1)));
      EXPECT_EQ(line, "p" + std::to_string(who) + ": " + std::to_string(next[who]++));
      ++heard;
    }
    EXPECT_EQ(next[static_cast<std::size_t>(i)], 0) << "it heard itself";
  }
}

class chat_drain : public chat, public testing::WithParamInterface<int> {};

TEST_P(chat_drain, ends_all_connections_and_tells_why) {
  start();
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  person unnamed(*server_);
  EXPECT_EQ(unnamed.hear(), "* what is your name?");
  EXPECT_EQ(anna.hear(), "* bob has joined");
  anna.say("hello");
  EXPECT_EQ(bob.hear(), "anna: hello");
  server_->send_signal_asleep(GetParam());
  EXPECT_EQ(unnamed.hear_until_end(), "");
  EXPECT_EQ(anna.hear(), "* the server is shutting down");
  EXPECT_EQ(bob.hear(), "* the server is shutting down");
  const std::string rest = anna.hear_until_end() + bob.hear_until_end();
  EXPECT_TRUE(rest == "* anna has left\n" || rest == "* bob has left\n") << rest;
  EXPECT_EQ(expect_end().output, "served 3 connections, 1 lines\n");
}

TEST_P(chat_drain, sends_the_lines_that_had_arrived) {
  start();
  person anna = join("anna", "nobody else");
  person bob = join("bob", "anna");
  server_->send_signal_asleep(SIGSTOP);
  server_->wait_until_stopped();
  anna.send_all("one\ntwo\n");
  eventually("the lines have arrived", [&] { return anna.unacknowledged() == 0; });
  server_->send_signal(GetParam());
  server_->send_signal(SIGCONT);
  const std::string heard = bob.hear_until_end();
  EXPECT_NE(heard.find("* the server is shutting down\n"), heard.npos) << heard;
  EXPECT_EQ(expect_end().output, "served 2 connections, 2 lines\n");
}

INSTANTIATE_TEST_SUITE_P(signals, chat_drain, testing::Values(SIGTERM, SIGINT),
                         [](const auto& each) { return each.param == SIGTERM ? "SIGTERM" : "SIGINT"; });

class chat_with_a_wrong_command_line : public testing::TestWithParam<wrong_command_line> {};

TEST_P(chat_with_a_wrong_command_line, says_what_is_wrong_and_how_it_is_used) {
  expect_refusal(chat_server_path, GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, chat_with_a_wrong_command_line,
    testing::Values(
        wrong_command_line{"a_name_for_an_address",
                           {"--listen", "localhost:80"},
                           "--listen takes ADDRESS:PORT in numbers, as 127.0.0.1:7000 or [::1]:7000, not \"localhost:80\""},
        wrong_command_line{"no_port", {"--listen", "127.0.0.1"}, "--listen takes ADDRESS:PORT in numbers"},
        wrong_command_line{"an_address_of_another_machine",
                           {"--listen", "192.0.2.1:0"},
                           "cannot listen on 192.0.2.1:0: Cannot assign requested address"},
        wrong_command_line{"no_backlog", {"--backlog", "0"}, "--backlog takes a number from 1 to 1000000, not \"0\""},
        wrong_command_line{"a_backlog_that_is_no_number",
                           {"--backlog", "many"},
                           "--backlog takes a number from 1 to 1000000, not \"many\""},
        wrong_command_line{"a_time_without_a_unit",
                           {"--patience", "5"},
                           "--patience takes a time from 1ms to 1000000m, as 500ms, 30s or 2m, not \"5\""},
        wrong_command_line{"an_unknown_option", {"--colour"}, "there is no option \"--colour\""},
        wrong_command_line{"an_argument", {"7008"}, "unexpected argument \"7008\""}),
    name_of_command_line);

TEST(chat_help, is_the_usage_on_standard_output) {
  const ending end = child_process({chat_server_path, "--help"}).wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_TRUE(end.output.starts_with("usage: chat_server ")) << end;
  EXPECT_EQ(end.errors, "");
}

}  // namespace
