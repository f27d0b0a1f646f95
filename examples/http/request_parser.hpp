// Bytes in, HTTP/1 requests out: llhttp, a buffer and limits. No input or output of its own.
//
//   for (;;) {
//     while (const http::request* asked = parser.next()) answer(*asked);
//     if (parser.refusal() != 0) …                               // the status to answer with, and nothing comes after it
//     parser.received(read(parser.room()));
//   }
//
// What comes out does not depend on how the bytes were cut into pieces. A request is kept whole in the buffer, its body
// in one piece, however it was sent. Between requests the buffer is small; it grows with what arrives, never by what a
// peer says that it will send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <llhttp.h>

namespace http {

struct limits {
  std::size_t header = 16384;    // bytes of the request line and the header fields
  std::size_t body = 1'048'576;  // bytes, without what transports them
};

struct field {
  std::string_view name;
  std::string_view value;
};

// The views lead into the parser's buffer.
struct request {
  std::string_view method = {};
  std::string_view target = {};
  std::string_view body = {};
  std::vector<field> fields = {};
  bool keep_alive = false;       // more requests may follow on this connection
  bool is_http_1_0 = false;
};

// Neither copied nor moved: llhttp refers to it.
class request_parser {
 public:
  explicit request_parser(const limits& most = {});
  request_parser(const request_parser&) = delete;

  // The next request that is whole, good until next or room is called; null when there is none yet, or never again.
  const request* next();

  // 0, or the status that answers what has come in place of a request. After that, as after a request that does not keep
  // the connection alive, there is no further request.
  int refusal() const noexcept { return refusal_; }

  // True once when a body was announced that the peer sends only after "100 Continue".
  bool takes_continue() noexcept;

  // Something has arrived that is not part of a request that next has given.
  bool has_rest() const noexcept { return !ended_ && (whole_ ? parsed_ : begin_) != filled_; }

  // Where to put what arrives, after next has given null: at least one byte.
  std::span<std::byte> room();
  void received(std::size_t count) noexcept { filled_ += count; }

  // How many bytes it holds, and how many it has memory for.
  std::size_t buffered() const noexcept { return filled_ - begin_; }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  static const llhttp_settings_t callbacks;

  // What llhttp calls; anything but 0 stops it.
  int target_continues(std::string_view piece);
  int name_continues(std::string_view piece);
  int value_continues(std::string_view piece);
  int body_continues(std::string_view piece);
  int head_is_complete();
  int chunk_begins();
  int request_is_complete();

  void forget_request() noexcept;
  void feed(std::size_t count);
  void body_begins() noexcept;
  void drop_what_is_parsed() noexcept;
  void move_to(std::unique_ptr<char[]> buffer, std::size_t capacity);
  int check_fields();
  int refuse(int status) noexcept;
  int status_for(llhttp_errno_t code) const noexcept;

  llhttp_t machine_;
  limits most_;
  request request_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_;
  // begin_ <= parsed_ <= filled_: where the request begins, what llhttp has seen, what has arrived.
  std::size_t begin_ = 0, parsed_ = 0, filled_ = 0;
  std::size_t allowed_;          // so many bytes may this part of the request still take
  int refusal_ = 0;
  bool whole_ = false;
  bool in_body_ = false;
  bool value_has_begun_ = false;
  bool expects_continue_ = false;
  bool ended_ = false;
};

}  // namespace http
