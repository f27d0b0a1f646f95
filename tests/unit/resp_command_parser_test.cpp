#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "counted_allocations.hpp"
#include "resp/command_parser.hpp"
#include "seeded_bytes.hpp"

namespace {

using resp::command_parser;

constexpr std::size_t longest_word = 100'000;

// What a parser finds in a stream.
struct findings {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  bool operator==(const findings&) const = default;
};

// For messages of GoogleTest.
void PrintTo(const findings& found, std::ostream* out) {
  for (const auto& command : found.commands) {
    for (const std::string& word : command) *out << testing::PrintToString(word.substr(0, 40)) << ' ';
    *out << "; ";
  }
  *out << found.error;
}

class listener {
 public:
  // False after an error.
  bool hear(std::string_view piece) {
    while (!piece.empty() && found.error.empty()) {
      const auto room = parser.room();
      EXPECT_FALSE(room.empty());
      const std::size_t n = std::min(room.size(), piece.size());
      std::memcpy(room.data(), piece.data(), n);
      piece.remove_prefix(n);
      parser.arrived(n);
      take_all();
    }
    return found.error.empty();
  }

  findings found;
  command_parser parser{longest_word};

 private:
  void take_all() {
    for (;;) {
      const auto next = parser.next();
      if (next == command_parser::found::command) {
        found.commands.emplace_back(parser.words().begin(), parser.words().end());
      } else {
        found.error = parser.error();
        return;
      }
    }
  }
};

findings hear(std::string_view stream) {
  listener one;
  one.hear(stream);
  return one.found;
}

std::string as_array(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return text;
}

const std::string all_kinds = as_array({"GET", "a"}) + "\r\n" + "PING\r\n" + "*0\r\n" + "*-1\r\n" +
                              as_array({"SET", "", std::string("\0\r\n$1\r\n", 7)}) + " SET\tb  c \n" + "\n" +
                              as_array({"PING"});
const findings in_all_kinds{
    {{"GET", "a"}, {"PING"}, {"SET", "", std::string("\0\r\n$1\r\n", 7)}, {"SET", "b", "c"}, {"PING"}}, ""};

TEST(resp_command_parser, takes_arrays_and_lines) { EXPECT_EQ(hear(all_kinds), in_all_kinds); }

TEST(resp_command_parser, finds_the_same_commands_wherever_the_stream_is_cut_once) {
  for (std::size_t cut = 0; cut <= all_kinds.size(); ++cut) {
    listener one;
    one.hear(all_kinds.substr(0, cut));
    one.hear(all_kinds.substr(cut));
    ASSERT_EQ(one.found, in_all_kinds) << "cut at " << cut;
  }
}

TEST(resp_command_parser, finds_the_same_commands_in_single_bytes) {
  listener one;
  for (const char& c : all_kinds) one.hear({&c, 1});
  EXPECT_EQ(one.found, in_all_kinds);
}

// Values larger than the buffer is at first, between small ones, so that it grows, shrinks, and what is in it moves. Five of
// the largest are no too big command.
TEST(resp_command_parser, finds_the_same_commands_in_any_pieces) {
  const std::uint64_t seed = support::choose_seed();
  std::mt19937_64 random(seed);
  support::seeded_bytes bytes(seed);
  std::string stream;
  findings expected;
  for (int i = 0; i < 300; ++i) {
    std::vector<std::string> words(1 + random() % 5);
    for (std::string& word : words) word = bytes.next(random() % (random() % 10 == 0 ? 30'000 : 20));
    stream += as_array(words);
    expected.commands.push_back(std::move(words));
  }
  for (const std::size_t longest_piece : {std::size_t{7}, std::size_t{1000}, std::size_t{100'000}}) {
    listener one;
    for (std::size_t at = 0; at < stream.size();) {
      const std::string piece = stream.substr(at, 1 + random() % longest_piece);
      one.hear(piece);
      at += piece.size();
    }
    ASSERT_EQ(one.found.commands.size(), expected.commands.size());
    ASSERT_TRUE(one.found == expected) << "in pieces of up to " << longest_piece;
  }
}

TEST(resp_command_parser, a_command_that_is_cut_off_is_none) {
  const std::string command = as_array({"GET", "a"});
  for (std::size_t length = 0; length < command.size(); ++length)
    EXPECT_EQ(hear(command.substr(0, length)), findings()) << length;
}

TEST(resp_command_parser, says_what_is_wrong_as_redis_words_it) {
  const auto error_of = [](std::string_view stream) { return hear(stream).error; };
  EXPECT_EQ(error_of("*1025\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*9999999999\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*x\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*1\rx"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*1\r\nGET\r\n"), "Protocol error: expected '$', got 'G'");
  EXPECT_EQ(error_of("*1\r\n$-1\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$x\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$9999999999\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$99999999999"), "Protocol error: invalid bulk length") << "before the end of the line";
  EXPECT_EQ(error_of("*1\r\n$100001\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$1\r\nab\r\n"), "Protocol error: expected CRLF after a bulk string");
  EXPECT_EQ(error_of(std::string(command_parser::longest_line, 'x')), "Protocol error: too big inline request");
}

TEST(resp_command_parser, finds_what_came_before_the_error_and_nothing_afterwards) {
  const findings found = hear("PING\r\n*1\r\nx\r\nPING\r\n");
  EXPECT_EQ(found, (findings{{{"PING"}}, "Protocol error: expected '$', got 'x'"}));
  listener one;
  EXPECT_FALSE(one.hear("*x\r\nPING\r\n"));
  EXPECT_EQ(one.parser.next(), command_parser::found::error);
}

TEST(resp_command_parser, takes_what_is_just_within_its_limits) {
  EXPECT_EQ(hear(as_array({std::string(longest_word, 'x')})).commands.size(), 1U);
  EXPECT_EQ(hear(as_array(std::vector<std::string>(command_parser::most_words, "x"))).commands.size(), 1U);
  EXPECT_EQ(hear(std::string(command_parser::longest_line - 1, 'x') + '\n').commands.size(), 1U);
  std::string words;
  for (std::size_t i = 0; i < command_parser::most_words; ++i) words += "x ";
  EXPECT_EQ(hear(words + '\n').commands.at(0).size(), command_parser::most_words);
  EXPECT_EQ(hear(words + "x\n").error, "Protocol error: too many words in an inline request");
}

// A client could announce the largest word time and again.
TEST(resp_command_parser, keeps_no_more_than_one_word_and_a_line_of_a_command) {
  const std::string largest(longest_word, 'x');
  EXPECT_EQ(hear(as_array({largest, largest})).error, "Protocol error: too big command");
  listener one;
  one.hear("*2\r\n$" + std::to_string(longest_word) + "\r\n");
  EXPECT_EQ(one.parser.capacity(), command_parser::usual_room) << "nothing is set aside for what is only announced";
  one.hear(largest);
  EXPECT_LE(one.parser.capacity(), 2 * (longest_word + command_parser::longest_line));
  one.hear("\r\n$0\r\n\r\n");
  EXPECT_EQ(one.found.commands.size(), 1U);
  (void)one.parser.room();
  EXPECT_EQ(one.parser.capacity(), command_parser::usual_room) << "a large buffer is not kept";
}

TEST(resp_command_parser, allocates_nothing_once_it_runs) {
  const std::string piece = all_kinds + all_kinds + all_kinds;
  command_parser parser(longest_word);
  std::size_t commands = 0;
  const auto hear_piece = [&] {
    std::memcpy(parser.room().data(), piece.data(), piece.size());
    parser.arrived(piece.size());
    while (parser.next() == command_parser::found::command) ++commands;
  };
  hear_piece();
  const auto before = counted_allocations::made;
  for (int i = 0; i < 1000; ++i) hear_piece();
  EXPECT_EQ(counted_allocations::made, before);
  EXPECT_EQ(commands, 1001 * 3 * in_all_kinds.commands.size());
}

}  // namespace
