// One client's part of the server without its I/O: bytes in, commands executed, replies out.
//
//   while (!talk.ended() && (n = read(talk.room())) != 0) {
//     talk.arrived(n);
//     while (talk.execute()) write(talk.replies());
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "command_parser.hpp"
#include "commands.hpp"

namespace resp {

class conversation {
 public:
  conversation(store& keys, std::size_t longest_word) noexcept : keys_(keys), parser_(longest_word) {}

  // Where to put what arrives next.
  std::span<std::byte> room() { return std::as_writable_bytes(parser_.room()); }
  void arrived(std::size_t count) noexcept { parser_.arrived(count); }

  // [execute]
  // Executes what is complete of what has arrived, or as much of it as gives replies for one write. False where there
  // is nothing left to reply to.
  bool execute() {
    replies_.clear();
    while (!ended_ && replies_.text().size() < enough_for_a_write) {
      const auto found = parser_.next();
      if (found == command_parser::found::nothing) break;
      if (found == command_parser::found::command) {
        ended_ = !resp::execute(parser_.words(), keys_, replies_);
        ++commands_;
      } else {
        replies_.error("ERR " + parser_.error());
        ended_ = true;
      }
    }
    return !replies_.text().empty();
  }
  // [/execute]

  std::span<const std::byte> replies() const noexcept { return std::as_bytes(std::span(replies_.text())); }

  // The client said so, or what it said made no sense.
  bool ended() const noexcept { return ended_; }
  std::uint64_t commands() const noexcept { return commands_; }

 private:
  static constexpr std::size_t enough_for_a_write = 64 * 1024;

  store& keys_;
  command_parser parser_;
  resp::replies replies_;
  std::uint64_t commands_ = 0;
  bool ended_ = false;
};

}  // namespace resp
