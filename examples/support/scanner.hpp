// The text of an arithmetic expression, taken from its beginning, piece by piece. What is not as expected is thrown with
// its column.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "command_line.hpp"
#include "decimal.hpp"

namespace support {

inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// How much of the beginning of a text is a name; 0 for nothing.
inline std::size_t length_of_name(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && (is_letter(text[length]) || (length > 0 && is_digit(text[length])))) ++length;
  return length;
}

class scanner {
 public:
  explicit scanner(std::string_view text) : text_(text) {}

  // The next character that is no space; 0 at the end.
  char next() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char wanted) {
    if (next() != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!take(wanted)) fail(std::string("expected ") + wanted);
  }
  void expect_end() {
    if (next() != '\0') fail("expected an operator or the end");
  }
  bool at_name() { return is_letter(next()); }
  bool at_level() { return next() == '-' || next() == '('; }
  std::string take_name() {
    const std::string_view name = text_.substr(at_, length_of_name(text_.substr(at_)));
    at_ += name.size();
    return std::string(name);
  }
  double take_number() {
    const char first = next();
    if (!is_digit(first) && first != '.') fail("expected a number, a name or (");
    const decimal number = take_decimal(text_.substr(at_));
    if (number.length == 0) fail("expected a number of a usual size");
    at_ += number.length;
    return number.value;
  }

  // What is nested, behind a sign or in parentheses, takes room on the stack.
  class level {
   public:
    explicit level(scanner& in) : in_(in) {
      if (++in_.depth_ > deepest) in_.fail("expected at most " + std::to_string(deepest) + " levels of ( and -");
    }
    level(const level&) = delete;
    ~level() { --in_.depth_; }

   private:
    scanner& in_;
  };

 private:
  static constexpr int deepest = 100;

  [[noreturn]] void fail(const std::string& what) {
    const std::string got = next() == '\0' ? "the end" : quoted(text_.substr(at_, 1));
    throw std::runtime_error("at column " + std::to_string(at_ + 1) + ": " + what + ", got " + got);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace support
