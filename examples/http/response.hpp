// HTTP/1 responses, written into a buffer that many of them share.
#pragma once

#include <array>
#include <charconv>
#include <ctime>
#include <string>
#include <string_view>

#include "request_parser.hpp"

namespace http {

struct response {
  int status = 200;
  std::string body = {};
  std::string_view type = "text/plain";
  std::string_view fields = {};  // further ones, each with its end of line
};

inline std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

inline void append_number(std::string& to, std::size_t number) {
  std::array<char, 20> digits;
  const auto [end, code] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  to.append(digits.data(), end);
}

// Everything up to the body's length: the same for most answers within a second, and so only written when it changes. One
// thread.
inline std::string_view head_without_length(int status, std::string_view type) {
  static std::string text;
  static std::string its_type;
  static int its_status = 0;
  static std::time_t its_second = -1;
  const std::time_t now = std::time(nullptr);
  if (now == its_second && status == its_status && type == its_type) return text;
  std::tm parts;
  gmtime_r(&now, &parts);
  std::array<char, 64> date;
  const std::size_t length = std::strftime(date.data(), date.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
  text = "HTTP/1.1 ";
  append_number(text, static_cast<std::size_t>(status));
  text.append(" ").append(reason(status)).append("\r\n").append(date.data(), length);
  text.append("Content-Type: ").append(type).append("\r\nContent-Length: ");
  its_second = now, its_status = status, its_type = type;
  return text;
}

// Everything up to the body, with what the connection field is to say, if anything.
inline void append_head(std::string& to, const response& given, std::string_view connection) {
  to.append(head_without_length(given.status, given.type));
  append_number(to, given.body.size());
  to.append("\r\n").append(given.fields);
  if (!connection.empty()) to.append("Connection: ").append(connection).append("\r\n");
  to.append("\r\n");
}

// The answer to a request. `last` says that nothing follows on the connection, also where the request would allow it.
inline void append(std::string& to, const response& given, const request& asked, bool last) {
  append_head(to, given, last ? "close" : asked.is_http_1_0 ? "keep-alive" : "");
  if (asked.method != "HEAD") to.append(given.body);
}

// The answer to what is no request; the last one on a connection.
inline void append_refusal(std::string& to, int status) {
  const response given{.status = status, .body = std::to_string(status) + ' ' + std::string(reason(status)) + '\n'};
  append_head(to, given, "close");
  to.append(given.body);
}

inline constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace http
