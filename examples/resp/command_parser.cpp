#include "command_parser.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace resp {

// What was read of an unfinished command moves to the front at most once, and then only where the buffer grows.
std::span<char> command_parser::room() {
  const std::size_t unfinished = end_ - begin_;
  if (unfinished == 0 && capacity_ != usual_room) {
    move_to(std::make_unique_for_overwrite<char[]>(usual_room), usual_room);  // the first, or one that had to be larger
  } else if (unfinished > capacity_ / 4 * 3) {
    move_to(std::make_unique_for_overwrite<char[]>(2 * capacity_), 2 * capacity_);
  } else if (unfinished == 0 || capacity_ - end_ < capacity_ / 4) {
    move_to(std::move(buffer_), capacity_);
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

void command_parser::move_to(std::unique_ptr<char[]> other, std::size_t capacity) {
  const std::unique_ptr<char[]> before = std::exchange(buffer_, std::move(other));
  const char* const from = (before ? before.get() : buffer_.get()) + begin_;
  for (std::string_view& word : words_) word = {buffer_.get() + (word.data() - from), word.size()};
  if (end_ != begin_) std::memmove(buffer_.get(), from, end_ - begin_);
  at_ -= begin_;
  end_ -= begin_;
  begin_ = 0;
  capacity_ = capacity;
}

command_parser::found command_parser::next() {
  if (!error_.empty()) return found::error;
  bool taken = true;
  while (taken && missing_ == 0) {
    words_.clear();
    begin_ = at_;
    if (at_ == end_) return found::nothing;
    taken = buffer_[at_] == '*' ? begin_array() : take_line();
    if (taken && !words_.empty()) return found::command;  // empty lines and empty arrays are none
  }
  while (taken && missing_ != 0) taken = take_word();
  if (taken) return found::command;
  return error_.empty() ? found::nothing : found::error;
}

// These give false, and take nothing, where there is not enough yet, or something is wrong.

// "*3\r\n"
bool command_parser::begin_array() {
  std::size_t from = at_ + 1;
  const auto count = take_number(from, "multibulk");
  if (!count) return false;
  if (*count > static_cast<std::int64_t>(most_words)) return fail("invalid multibulk length");
  missing_ = *count < 0 ? 0 : static_cast<std::size_t>(*count);
  at_ = from;
  return true;
}

// "$3\r\nGET\r\n"
bool command_parser::take_word() {
  if (at_ == end_) return false;
  if (buffer_[at_] != '$') return fail(std::string("expected '$', got '") + buffer_[at_] + "'");
  std::size_t from = at_ + 1;
  const auto number = take_number(from, "bulk");
  if (!number) return false;
  const auto length = static_cast<std::size_t>(*number);
  if (*number < 0 || length > longest_word_) return fail("invalid bulk length");
  if (from - begin_ + length > longest_word_ + longest_line) return fail("too big command");
  if (end_ - from < length + 2) return false;
  const char* const word = buffer_.get() + from;
  if (word[length] != '\r' || word[length + 1] != '\n') return fail("expected CRLF after a bulk string");
  words_.emplace_back(word, length);
  --missing_;
  at_ = from + length + 2;
  return true;
}

// "GET a\n"
bool command_parser::take_line() {
  const char* const begin = buffer_.get() + at_;
  const std::size_t arrived = std::min(end_ - at_, longest_line);
  const void* const newline = std::memchr(begin, '\n', arrived);
  if (newline == nullptr) return arrived == longest_line && fail("too big inline request");
  std::string_view line(begin, static_cast<const char*>(newline));
  at_ += line.size() + 1;
  constexpr std::string_view blanks = " \t\r";
  for (std::size_t word; (word = line.find_first_not_of(blanks)) != line.npos;) {
    if (words_.size() == most_words) return fail("too many words in an inline request");
    line.remove_prefix(word);
    words_.push_back(line.substr(0, line.find_first_of(blanks)));
    line.remove_prefix(words_.back().size());
  }
  return true;
}

// A number and its end of line. More digits than any that is allowed are refused before they have arrived.
std::optional<std::int64_t> command_parser::take_number(std::size_t& from, const char* what_it_is) {
  constexpr std::size_t most_digits = 10;
  const char* at = buffer_.get() + from;
  const char* const end = buffer_.get() + end_;
  const bool negative = at != end && *at == '-';
  if (negative) ++at;
  const char* const digits = at;
  std::int64_t value = 0;
  while (at != end && *at >= '0' && *at <= '9' && static_cast<std::size_t>(at - digits) < most_digits)
    value = value * 10 + (*at++ - '0');
  if (at == end) return std::nullopt;
  const bool is_number = at != digits && *at == '\r' && (end - at < 2 || at[1] == '\n');
  if (!is_number) {
    fail(std::string("invalid ") + what_it_is + " length");
    return std::nullopt;
  }
  if (end - at < 2) return std::nullopt;
  from = static_cast<std::size_t>(at + 2 - buffer_.get());
  return negative ? -value : value;
}

bool command_parser::fail(std::string why) {
  error_ = "Protocol error: " + std::move(why);
  return false;
}

}  // namespace resp
