// TCP: listeners and streams.
//
//   auto listener = tcp::listener::bind(*endpoint::parse("127.0.0.1:7007"));
//   auto peer = co_await !listener->accept();
//   auto n = co_await !peer.read_some(buffer);
//
// A stream or a listener belongs to one worker from its first wait on: only that worker's strands use it. One strand
// may read while another writes. Operations refer to the buffer they are given and to the stream; both stay where
// they are until the operation completes. An operation that waits when its stream is closed completes with
// errc::closed, as does one that is begun afterwards. Errors are those of the system calls; SIGPIPE is never raised.
// All operations resume on the executor of the strand that waits; stop withdraws them, and what each may lose is said
// beside it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <cordage/endpoint.hpp>
#include <cordage/io/waiting.hpp>
#include <cordage/result.hpp>
#include <cordage/task.hpp>

namespace cordage::tcp {

class stream;

namespace detail {

using cordage::detail::descriptor;
using cordage::detail::destination;
using cordage::detail::io_kind;
using cordage::detail::io_operation;
using cordage::detail::transfer_operation;
using cordage::detail::whole_transfer_operation;

// Reads on it give what has arrived, then the end of the stream.
result<> end_of_receiving(descriptor& connection) noexcept;
result<> shut_down(descriptor& connection) noexcept;  // both directions

}  // namespace detail

// A connection. Move-only; destroying it closes it.
class [[nodiscard]] stream {
 public:
  // For the library: takes over a connected, non-blocking socket that says where it leads to.
  explicit stream(std::unique_ptr<detail::descriptor> connected) noexcept : descriptor_(std::move(connected)) {}

  // As many bytes as have arrived, at least one, at most the buffer's size; 0 at the end of the stream. The buffer must
  // not be empty. Stop loses nothing: what has arrived stays for the next read.
  [[nodiscard]] auto read_some(std::span<std::byte> buffer) noexcept {
    return detail::transfer_operation<detail::io_kind::receive>(descriptor_.get(), buffer.data(), buffer.size());
  }

  // The whole buffer; errc::end_of_stream where the stream ends before. Stop and errors lose the bytes read so far.
  [[nodiscard]] auto read_exactly(std::span<std::byte> buffer) noexcept {
    return detail::whole_transfer_operation<detail::io_kind::receive_exactly>(descriptor_.get(), buffer.data(),
                                                                              buffer.size());
  }

  // As many bytes as there is room for, at least one unless there are none. Stop loses nothing.
  [[nodiscard]] auto write_some(std::span<const std::byte> bytes) noexcept {
    return detail::transfer_operation<detail::io_kind::send>(descriptor_.get(), not_written(bytes), bytes.size());
  }

  // All bytes. Stop and errors leave it unknown how many were sent.
  [[nodiscard]] auto write_all(std::span<const std::byte> bytes) noexcept {
    return detail::whole_transfer_operation<detail::io_kind::send_all>(descriptor_.get(), not_written(bytes),
                                                                       bytes.size());
  }

  // Nothing more will be sent; the peer reads the end of the stream after what was sent. Reading goes on.
  [[nodiscard]] result<> shutdown_send() noexcept;

  // Ends the conversation so that the peer gets all that was sent: nothing more will be sent, and what the peer still sends is
  // read and dropped, up to its end or to about `most` bytes. (To close while something is unread resets the connection, and
  // what the peer has not read by then is lost to it.) A peer need not end, so put a time limit around it. Not while another
  // strand reads. After a stop or an error nothing is left to do but to close.
  [[nodiscard]] async<> finish(std::size_t most = std::numeric_limits<std::size_t>::max());

  // Nothing more is to arrive: reads give what has arrived, then the end of the stream.
  [[nodiscard]] result<> shutdown_receive() noexcept;

  // Whether small writes are sent at once. On from the start: replies that wait for each other are what hurts.
  [[nodiscard]] result<> set_no_delay(bool at_once) noexcept;

  // Closes at once; reads and writes that wait complete with errc::closed. May be called again.
  void close() noexcept { descriptor_.reset(); }

  // The two ends; errc::closed once closed. The remote one is known also after the connection has broken.
  [[nodiscard]] result<endpoint> local() const noexcept;
  [[nodiscard]] result<endpoint> remote() const noexcept;

  // False once closed or moved from.
  explicit operator bool() const noexcept { return descriptor_ != nullptr; }

  // For the library.
  detail::descriptor* its_descriptor() const noexcept { return descriptor_.get(); }

 private:
  // The backend does not write to what is sent.
  static std::byte* not_written(std::span<const std::byte> bytes) noexcept {
    return const_cast<std::byte*>(bytes.data());
  }

  std::unique_ptr<detail::descriptor> descriptor_;
};

namespace detail {

class accept_operation : public cordage::detail::io_wait {
 public:
  static constexpr const char* name = "accept";

  explicit accept_operation(descriptor* listener) noexcept : io_wait(io_operation(io_kind::accept, listener)) {}
  accept_operation(accept_operation&& other) noexcept : io_wait(std::exchange(other.io_, io_operation(io_kind::accept, nullptr))) {}
  accept_operation& operator=(accept_operation&&) = delete;
  // A connection that was accepted for a strand that is no more is closed.
  ~accept_operation() { const cordage::detail::file_descriptor unclaimed(std::exchange(io_.accepted, -1)); }

  // The address is written into the operation, so that is said when the operation is where it stays.
  bool ready() noexcept {
    io_.buffer = address_.data();
    io_.length = address_.size();
    return io_wait::ready();
  }
  result<stream> get();

 private:
  alignas(8) std::array<std::byte, 32> address_;  // a sockaddr of IPv4 or IPv6
};

class connect_operation : public cordage::detail::io_wait {
 public:
  static constexpr const char* name = "connect";

  explicit connect_operation(const result<endpoint>& to) noexcept;

  bool ready() noexcept;
  result<stream> get();

 private:
  bool begin() noexcept;

  std::unique_ptr<descriptor> descriptor_;
};

}  // namespace detail

// Trivially destructible, so that GCC 12 handles temporaries of it.
struct listen_options {
  int backlog = 4096;         // connections that wait to be accepted; the system may cut it (net.core.somaxconn)
  bool reuse_address = true;  // bind although connections of an earlier server linger
  bool no_delay = true;       // accepted connections send small writes at once
};

// Move-only; destroying it closes it.
class [[nodiscard]] listener {
 public:
  // Opens a socket, binds it and listens; port 0 lets the system choose one. Any thread, also outside of a runtime.
  [[nodiscard]] static result<listener> bind(const endpoint& where, const listen_options& options = {});

  // The next connection. Errors that concern only the connection that was about to be accepted are skipped. Out of
  // descriptors is an error, after which the connection still waits: accept again later. Stop loses nothing.
  [[nodiscard]] auto accept() noexcept { return detail::accept_operation(descriptor_.get()); }

  // Where it listens, with the real port.
  const endpoint& local() const noexcept { return local_; }

  // Closes at once; connections not accepted yet are reset, an accept that waits completes with errc::closed.
  void close() noexcept { descriptor_.reset(); }

 private:
  listener(std::unique_ptr<detail::descriptor> listening, const endpoint& where) noexcept
      : descriptor_(std::move(listening)), local_(where) {}

  std::unique_ptr<detail::descriptor> descriptor_;
  endpoint local_;
};

// Opens a connection. Stop abandons the attempt.
[[nodiscard]] inline auto connect(const endpoint& to) noexcept { return detail::connect_operation(to); }

// The same to "ADDRESS:PORT", as endpoint::parse takes it: numbers, no names.
[[nodiscard]] inline auto connect(std::string_view to) { return detail::connect_operation(endpoint::parse(to)); }

}  // namespace cordage::tcp
