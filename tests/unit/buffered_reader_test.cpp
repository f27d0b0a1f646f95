#include <cordage/buffered_reader.hpp>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "both_styles.hpp"

namespace {

using namespace cordage;
using support::style;

// Gives a text in pieces; then the end, or an error.
class in_pieces {
 public:
  explicit in_pieces(std::vector<std::string> pieces, error at_end = {}) : pieces_(std::move(pieces)), at_end_(at_end) {}

  auto read_some(std::span<std::byte> buffer) {
    return [](in_pieces& self, std::span<std::byte> into) -> async<std::size_t> {
      co_await yield_now();
      if (self.next_ == self.pieces_.size()) {
        if (self.at_end_ != error{}) co_return unexpected(self.at_end_);
        co_return 0;
      }
      std::string& piece = self.pieces_[self.next_];
      const std::size_t n = std::min(piece.size(), into.size());
      std::memcpy(into.data(), piece.data(), n);
      piece.erase(0, n);
      if (piece.empty()) ++self.next_;
      co_return n;
    }(*this, buffer);
  }

 private:
  std::vector<std::string> pieces_;
  std::size_t next_ = 0;
  error at_end_;
};

// All that there is: lines, "<too long>" for each that was refused.
std::vector<std::string> lines_of(in_pieces from, std::size_t longest = 65536) {
  return run([](in_pieces& source, std::size_t most) -> task<std::vector<std::string>> {
    std::vector<std::string> all;
    buffered_reader reader(source, most);
    for (;;) {
      const auto line = co_await reader.read_line();
      if (!line) {
        EXPECT_EQ(line.error(), errc::too_long);
        all.emplace_back("<too long>");
      } else if (!*line) {
        co_return all;
      } else {
        all.emplace_back(**line);
      }
    }
  }(from, longest));
}

using texts = std::vector<std::string>;

TEST(buffered_reader, gives_lines_without_their_ends) {
  EXPECT_EQ(lines_of(in_pieces({"one\ntwo\r\n\nthree\n"})), (texts{"one", "two", "", "three"}));
}

TEST(buffered_reader, gives_what_stands_before_the_end_as_a_line) {
  EXPECT_EQ(lines_of(in_pieces({"one\ntw", "o"})), (texts{"one", "two"}));
  EXPECT_EQ(lines_of(in_pieces({})), texts{});
  EXPECT_EQ(lines_of(in_pieces({"\n"})), texts{""});
}

TEST(buffered_reader, takes_lines_up_to_its_limit_and_skips_longer_ones) {
  EXPECT_EQ(lines_of(in_pieces({"12345\n123456\n1234567\r\n12345\r\n"}), 5), (texts{"12345", "<too long>", "<too long>", "12345"}));
  EXPECT_EQ(lines_of(in_pieces({"12345\r", "\n123456", "789\nnext\n"}), 5), (texts{"12345", "<too long>", "next"}));
  EXPECT_EQ(lines_of(in_pieces({"123456"}), 5), texts{"<too long>"});
  EXPECT_EQ(lines_of(in_pieces({"123456789", "123456789"}), 5), texts{"<too long>"});
}

TEST(buffered_reader, gives_the_same_lines_however_they_arrive) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (unsigned i = random() % 40; i > 0; --i) text += std::string(random() % 12, 'x') + (random() % 3 == 0 ? "\r\n" : "\n");
    if (random() % 2 == 0) text += "rest";
    texts pieces;
    for (std::size_t at = 0; at < text.size();) {
      pieces.push_back(text.substr(at, 1 + random() % 9));
      at += pieces.back().size();
    }
    EXPECT_EQ(lines_of(in_pieces(pieces), 8), lines_of(in_pieces({text}), 8)) << text;
  }
}

TEST(buffered_reader, grows_for_long_lines_and_keeps_what_follows_them) {
  const std::string large(50'000, 'a');
  EXPECT_EQ(lines_of(in_pieces({"x\n" + large + "\nsmall\n" + large + "\n"})), (texts{"x", large, "small", large}));
  EXPECT_EQ(lines_of(in_pieces({std::string(70'000, 'b') + "\nsmall\n"})), (texts{"<too long>", "small"}));
}

class buffered_reader_in : public testing::TestWithParam<style> {};

TEST_P(buffered_reader_in, hands_on_errors_of_its_source_and_keeps_what_had_arrived) {
  in_pieces source({"one\ntw"}, std::make_error_code(std::errc::connection_reset));
  buffered_reader reader(source);
  const auto read = [&] { return reader.read_line(); };
  const auto first = support::await_in(GetParam(), read);
  EXPECT_EQ(first.value(), "one");
  const auto second = support::await_in(GetParam(), read);
  EXPECT_EQ(second.error(), std::errc::connection_reset);
}

TEST_P(buffered_reader_in, loses_nothing_when_it_is_stopped) {
  in_pieces source({"on", "e\ntwo\n"});
  buffered_reader reader(source);
  const auto read = [&] { return reader.read_line(); };
  run([&]() -> task<> {
    auto reads = support::spawn_in(GetParam(), read);
    co_await yield_now();
    reads.request_stop();
    const auto ended = co_await reads;
    EXPECT_EQ(ended.error(), errc::stopped);
    texts all;
    while (const auto line = co_await !reader.read_line()) all.emplace_back(*line);
    EXPECT_EQ(all, (texts{"one", "two"}));
  }());
}

INSTANTIATE_TEST_SUITE_P(styles, buffered_reader_in, testing::ValuesIn(support::each_style),
                         [](const auto& which) { return support::name_of(which.param); });

}  // namespace
