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

// The time as a field, written anew once in a second. One thread.
inline std::string_view date_field() {
  static std::time_t written = -1;
  static std::array<char, 64> text;
  static std::size_t length;
  if (const std::time_t now = std::time(nullptr); now != written) {
    std::tm parts;
    gmtime_r(&now, &parts);
    length = std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    written = now;
  }
  return {text.data(), length};
}

inline void append_number(std::string& to, std::size_t number) {
  std::array<char, 20> digits;
  const auto [end, code] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  to.append(digits.data(), end);
}

// Everything up to the body, with what the connection field is to say, if anything.
inline void append_head(std::string& to, const response& given, std::string_view connection) {
  to.append("HTTP/1.1 ");
  append_number(to, static_cast<std::size_t>(given.status));
  to.append(" ").append(reason(given.status)).append("\r\n");
  to.append(date_field());
  to.append("Content-Type: ").append(given.type).append("\r\nContent-Length: ");
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
