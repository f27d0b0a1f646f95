// standard_input: what a person types, or a pipe or a file brings, as something to wait for.
//
//   standard_input keyboard;
//   std::array<std::byte, 4096> buffer;
//   while (auto n = co_await !keyboard.read_some(buffer)) …          // 0 at the end: Ctrl-D, or the other side has closed
//
// Line by line: buffered_reader lines(keyboard), see buffered_reader.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <cordage/io/waiting.hpp>
#include <cordage/result.hpp>

namespace cordage {

// A terminal, a pipe, a socket, a regular file, /dev/null: whatever the process was given. It may be shared with other
// processes, a shell say, so its flags stay as they are and it is asked before each read whether there is something; where
// another process takes that first, a read blocks this thread. Do not read through stdin or std::cin beside it, which keep
// what they have read. A regular file is always ready, and read at once.
//
// It belongs to one worker from its first wait on; one strand reads at a time. Destroying it leaves the descriptor open for
// others; a read that waits then completes with errc::closed.
class [[nodiscard]] standard_input {
 public:
  // Throws std::system_error: there is no standard input, or no descriptor left for a duplicate of it.
  standard_input();

  // As many bytes as there are, at least one, at most the buffer's size; 0 at the end, and a terminal may give more after
  // that. The buffer must not be empty. Stop loses nothing. Resumes on the executor of the strand that waits. Errors are
  // those of read(2).
  [[nodiscard]] auto read_some(std::span<std::byte> buffer) noexcept {
    return detail::transfer_operation<detail::io_kind::read_shared>(descriptor_.get(), buffer.data(), buffer.size());
  }

 private:
  std::unique_ptr<detail::descriptor> descriptor_;
};

}  // namespace cordage
