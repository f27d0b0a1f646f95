// watched_descriptor: waits for a descriptor that somebody else reads and writes, a library of C say.
//
//   watched_descriptor socket(PQsocket(connection));
//   while (PQisBusy(connection)) {
//     co_await !socket.readable();
//     PQconsumeInput(connection);
//   }
#pragma once

#include <memory>

#include <cordage/io/waiting.hpp>
#include <cordage/result.hpp>

namespace cordage {

// Watches a duplicate, so that whoever owns the descriptor may close it at any time; the file itself stays open until this
// is destroyed as well. Works for all that poll(2) does; a regular file is always ready.
//
// It belongs to one worker from its first wait on. One strand may wait for each direction. Destroying it completes waits
// with errc::closed. Move-only; not while somebody waits.
class [[nodiscard]] watched_descriptor {
 public:
  // Any thread. Throws std::system_error: it is not open, or there is no descriptor left.
  explicit watched_descriptor(int fd);

  // Each completes when a read or write would not block: at once where that is so now. What was waited for may be gone when
  // the strand goes on, where others read as well. The end of a stream and errors count as ready; reading tells which.
  // Stop loses nothing. Resume on the executor of the strand that waits.
  [[nodiscard]] auto readable() noexcept {
    return detail::whole_transfer_operation<detail::io_kind::until_readable>(descriptor_.get(), nullptr, 0);
  }
  [[nodiscard]] auto writable() noexcept {
    return detail::whole_transfer_operation<detail::io_kind::until_writable>(descriptor_.get(), nullptr, 0);
  }

 private:
  std::unique_ptr<detail::descriptor> descriptor_;
};

}  // namespace cordage
