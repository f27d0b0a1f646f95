// Arbitrary bytes in arbitrary pieces as what clients of resp_server send: however they are cut the commands are the same,
// what is kept of them is bounded, and each command has exactly one well-formed reply.
//
// The first byte of the input says how large the pieces are; the rest is the stream.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "resp/command_parser.hpp"
#include "resp/conversation.hpp"
#include "resp/store.hpp"

namespace {

using resp::command_parser;

constexpr std::size_t longest_word = 1000;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "resp_fuzz: not so: %s\n", what);
  std::abort();
}

// Hands the stream to a receiver as a socket would, at most so much at a time. The receiver's take gives false at its end.
template <class Receiver, class Take>
void feed(Receiver& receiver, std::string_view stream, std::size_t largest_piece, Take take) {
  bool goes_on = true;
  while (goes_on && !stream.empty()) {
    const auto room = std::as_writable_bytes(std::span(receiver.room()));
    require(!room.empty(), "there is room");
    const std::size_t n = std::min({room.size(), stream.size(), largest_piece});
    std::memcpy(room.data(), stream.data(), n);
    stream.remove_prefix(n);
    receiver.arrived(n);
    goes_on = take();
  }
}

// The commands and the error in one text that is different for different ones.
std::string commands_in(std::string_view stream, std::size_t largest_piece) {
  std::string all;
  command_parser parser(longest_word);
  feed(parser, stream, largest_piece, [&] {
    auto next = parser.next();
    for (; next == command_parser::found::command; next = parser.next()) {
      require(!parser.words().empty() && parser.words().size() <= command_parser::most_words, "a command has 1 to 1024 words");
      all += '*';
      for (const std::string_view word : parser.words()) all += std::to_string(word.size()) + ':' + std::string(word);
    }
    require(parser.capacity() <= 4 * (longest_word + command_parser::longest_line), "the buffer is bounded");
    all += parser.error();
    return next != command_parser::found::error;
  });
  return all;
}

// Takes one reply from the front; aborts where there is none.
void take_reply(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  require(!text.empty() && end != text.npos, "a reply has a line");
  const char kind = text.front();
  const std::string_view line = text.substr(1, end - 1);
  text.remove_prefix(end + 2);
  if (kind == '+' || kind == '-') return;
  const long number = std::strtol(std::string(line).c_str(), nullptr, 10);
  require(std::to_string(number) == line, "a number is one");
  if (kind == '*') {
    for (long i = 0; i < number; ++i) take_reply(text);
  } else if (kind == '$' && number >= 0) {
    const auto length = static_cast<std::size_t>(number);
    require(text.size() >= length + 2 && text.substr(length, 2) == "\r\n", "a string is as long as it says");
    text.remove_prefix(length + 2);
  } else {
    require(kind == ':' || (kind == '$' && number == -1), "the kinds of replies are known");
  }
}

void converse(std::string_view stream, std::size_t largest_piece) {
  resp::store keys;
  resp::conversation talk(keys, longest_word);
  std::string replies;
  feed(talk, stream, largest_piece, [&] {
    while (talk.execute()) {
      require(talk.replies().size() <= 70'000, "what is written at once is bounded");
      replies.append(reinterpret_cast<const char*>(talk.replies().data()), talk.replies().size());
    }
    return !talk.ended();
  });
  std::string_view rest = replies;
  for (std::uint64_t i = 0; i < talk.commands(); ++i) take_reply(rest);
  require(rest.empty() || (talk.ended() && rest.starts_with("-ERR Protocol error: ")), "each command has one reply");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t largest_piece = 1 + data[0];
  const std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  require(commands_in(stream, largest_piece) == commands_in(stream, stream.size()), "the commands do not depend on the pieces");
  converse(stream, largest_piece);
  return 0;
}
