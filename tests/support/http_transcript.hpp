// Everything that a http::request_parser makes of some bytes, as text to compare: the same however they were cut.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "http/request_parser.hpp"

namespace support {

inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(std::string("http::request_parser: ") + what);
}

inline std::string described(const http::request& asked) {
  std::string text = std::string(asked.method) + ' ' + std::string(asked.target) + (asked.is_http_1_0 ? " 1.0" : "") +
                     (asked.keep_alive ? "" : " last") + '\n';
  for (const http::field& each : asked.fields) text += std::string(each.name) + "=" + std::string(each.value) + '\n';
  return text + std::to_string(asked.body.size()) + ':' + std::string(asked.body) + '\n';
}

inline void check_limits(const http::request_parser& parser, const http::limits& most) {
  require(parser.buffered() <= most.header + most.body, "it holds more than the limits allow");
  require(parser.capacity() <= std::max<std::size_t>(2 * 65536, most.header + most.body + 4096), "it has more memory than it needs");
}

inline void check_limits(const http::request& asked, const http::limits& most) {
  std::size_t header = asked.target.size();
  for (const http::field& each : asked.fields) header += each.name.size() + each.value.size();
  require(header <= most.header, "a head is longer than the limit");
  require(asked.body.size() <= most.body, "a body is longer than the limit");
}

// After a refusal it takes anything, makes nothing of it, and keeps nothing.
inline void check_end(http::request_parser& parser, const http::limits& most) {
  for (int i = 0; i < 3; ++i) {
    const auto room = parser.room();
    check_limits(parser, most);
    require(!room.empty(), "there is no room after a refusal");
    parser.received(room.size());
    require(parser.next() == nullptr, "a request comes after a refusal");
  }
}

// Each piece is as long as next_piece() says, which is at least 1; on_request is called with each request.
template <class NextPiece, class OnRequest>
std::string transcript(const http::limits& most, std::string_view bytes, NextPiece&& next_piece, OnRequest&& on_request) {
  http::request_parser parser(most);
  std::string text;
  for (;;) {
    while (const http::request* asked = parser.next()) {
      check_limits(*asked, most);
      text += described(*asked);
      on_request(*asked);
    }
    if (parser.refusal() != 0) {
      check_end(parser, most);
      return text + "refused with " + std::to_string(parser.refusal()) + '\n';
    }
    if (bytes.empty()) break;
    const auto room = parser.room();
    check_limits(parser, most);
    require(!room.empty(), "there is no room");
    const std::size_t count = std::min({bytes.size(), room.size(), next_piece()});
    std::memcpy(room.data(), bytes.data(), count);
    parser.received(count);
    bytes.remove_prefix(count);
  }
  return text + (parser.has_rest() ? "and a part of something\n" : "");
}

template <class NextPiece>
std::string transcript(const http::limits& most, std::string_view bytes, NextPiece&& next_piece) {
  return transcript(most, bytes, next_piece, [](const http::request&) {});
}

}  // namespace support
