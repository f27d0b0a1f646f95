// Redis' protocol, RESP2, as a server receives it: bytes in, commands out. No I/O.
//
//   while ((n = read(parser.room())) != 0) {
//     parser.arrived(n);
//     while (parser.next() == command_parser::found::command) execute(parser.words());
//   }
//
// A command is an array of strings, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", or a line as one types it, "GET a\r\n" (words between
// blanks; nothing is quoted). Its words are views into the buffer where the bytes arrived, so a command costs no
// allocation. However the bytes were cut into pieces, the commands are the same, and no byte is looked at often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace resp {

class command_parser {
 public:
  static constexpr std::size_t most_words = 1024;         // of a command
  static constexpr std::size_t longest_line = 64 * 1024;  // a command that was typed; and the short words of any other
  static constexpr std::size_t usual_room = 16 * 1024;

  enum class found { command, nothing, error };

  // A word may have so many bytes, and a command longest_line more in all.
  explicit command_parser(std::size_t longest_word) noexcept : longest_word_(longest_word) {}

  // Where to put what arrives next; never empty. Words found before are no more.
  std::span<char> room();
  // So many bytes of it have arrived. They are to be parsed, until next() finds nothing, before there is room again.
  void arrived(std::size_t count) noexcept { end_ += count; }

  // After an error there is nothing to be found but the error.
  found next();

  // Of the command that was found; at least one.
  std::span<const std::string_view> words() const noexcept { return words_; }
  // What is wrong, as redis words it.
  const std::string& error() const noexcept { return error_; }
  // The size of its buffer.
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  bool begin_array();
  bool take_word();
  bool take_line();
  std::optional<std::int64_t> take_number(std::size_t& from, const char* what_it_is);
  bool fail(std::string why);
  void move_to(std::unique_ptr<char[]> other, std::size_t capacity);

  const std::size_t longest_word_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;                // of the command that is being read
  std::size_t at_ = 0;                   // what was taken of it ends here
  std::size_t end_ = 0;                  // of what has arrived
  std::vector<std::string_view> words_;  // taken so far
  std::size_t missing_ = 0;              // words of its array
  std::string error_;
};

}  // namespace resp
