#include "runtime/dump.hpp"

namespace cordage::detail {
namespace {

// How many bytes of a valid character of UTF-8 begin at `at`: 0 where none does. RFC 3629, section 4.
std::size_t character_at(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    const bool fits = (first != 0xe0 || byte(1) >= 0xa0) && (first != 0xed || byte(1) < 0xa0);
    return fits && follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    const bool fits = (first != 0xf0 || byte(1) >= 0x90) && (first != 0xf4 || byte(1) < 0x90);
    return fits && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// A string of JSON, RFC 8259: what is no UTF-8, a name that was cut in a character for one, becomes U+FFFD.
std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string json = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    const std::size_t length = character_at(text, at);
    if (length == 0) {
      json += "\\ufffd";
    } else if (c < 0x20) {
      json += "\\u00";
      json += digits[c >> 4];
      json += digits[c & 0xf];
    } else {
      if (c == '"' || c == '\\') json += '\\';
      json += text.substr(at, length);
    }
    at += length == 0 ? 1 : length;
  }
  return json + '"';
}

std::string quoted_or_null(std::string_view text) { return text.empty() ? "null" : quoted(text); }
std::string truth(bool value) { return value ? "true" : "false"; }

std::string as_json(const dumped_code& code) {
  constexpr std::string_view kinds[] = {"coroutine", "fiber", "stackful coroutine"};
  return "{\"kind\": " + quoted(kinds[static_cast<std::size_t>(code.kind)]) + ", \"name\": " + quoted_or_null(code.name) +
         ", \"function\": " + quoted_or_null(code.function) + ", \"times\": " + std::to_string(code.times) + "}";
}

void add_strand(std::string& json, const dumped_strand& one, std::size_t number) {
  json += "{\"id\": " + std::to_string(number);
  json += ", \"parent\": " + (one.parent == 0 ? "null" : std::to_string(one.parent));
  json += ", \"kind\": " + quoted(one.kind == strand_kind::fiber ? "fiber" : "task");
  json += ", \"name\": " + quoted_or_null(one.name);
  json += ", \"state\": " + quoted(name_of_state[static_cast<std::size_t>(one.state)]);
  json += ", \"stopping\": " + truth(one.stopping) + ", \"begun\": " + truth(one.begun);
  json += ", \"waits_for\": " + quoted_or_null(one.waits_for);
  json += ", \"held_by\": " + (one.held_by == 0 ? "null" : std::to_string(one.held_by));
  json += ", \"began_with\": " + quoted_or_null(one.began_with);
  json += ", \"awaits\": [";
  for (std::size_t i = 0; i < one.awaits.size(); ++i) {
    if (i != 0) json += ", ";
    json += as_json(one.awaits[i]);
  }
  json += "], \"left_out\": " + std::to_string(one.left_out) + "}";
}

}  // namespace

std::string as_json(const dumped_runtime& seen) {
  std::string json = "{\"backend\": " + quoted(seen.backend) + ", \"timers\": " + std::to_string(seen.timers) +
                     ", \"arriving\": " + std::to_string(seen.arriving) + ", \"states\": {";
  std::string_view before;
  for (std::size_t state = 0; state < dumped_states; ++state) {
    if (seen.count[state] == 0) continue;
    (json += before) += quoted(name_of_state[state]) + ": " + std::to_string(seen.count[state]);
    before = ", ";
  }
  json += "},\n\"strands\": [";
  for (std::size_t i = 0; i < seen.strands.size(); ++i) {
    json += i == 0 ? "\n" : ",\n";
    add_strand(json, seen.strands[i], i + 1);
  }
  return json + "]}\n";
}

}  // namespace cordage::detail
