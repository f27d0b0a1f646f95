#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <cerrno>
#include <cstring>

#include <cordage/endpoint.hpp>

namespace cordage {
namespace {

auto invalid() noexcept { return detail::fail(errc::invalid_endpoint); }

result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, port);
  if (code != std::errc{} || at != end) return invalid();
  return port;
}

// An interface by its name or its number.
result<std::uint32_t> parse_scope(const std::string& text) {
  std::uint32_t scope = 0;
  const char* const end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, scope);
  if (code == std::errc{} && at == end && scope != 0) return scope;
  scope = ::if_nametoindex(text.c_str());
  if (scope == 0) return detail::fail(std::make_error_code(std::errc::no_such_device));
  return scope;
}

result<endpoint> parse_ipv6(std::string_view text, std::uint16_t port) {
  std::uint32_t scope = 0;
  if (const auto percent = text.find('%'); percent != text.npos) {
    const auto parsed = parse_scope(std::string(text.substr(percent + 1)));
    if (!parsed) return detail::fail(parsed.error());
    scope = *parsed;
    text = text.substr(0, percent);
  }
  std::array<std::uint8_t, 16> address;
  if (::inet_pton(AF_INET6, std::string(text).c_str(), address.data()) != 1) return invalid();
  return endpoint::ipv6(address, port, scope);
}

result<endpoint> parse_ipv4(std::string_view text, std::uint16_t port) {
  std::array<std::uint8_t, 4> address;
  if (::inet_pton(AF_INET, std::string(text).c_str(), address.data()) != 1) return invalid();
  return endpoint::ipv4(address, port);
}

std::string scope_name(std::uint32_t scope) {
  char name[IF_NAMESIZE];
  return ::if_indextoname(scope, name) != nullptr ? name : std::to_string(scope);
}

}  // namespace

endpoint endpoint::ipv4(std::array<std::uint8_t, 4> address, std::uint16_t port) noexcept {
  endpoint made;
  std::copy(address.begin(), address.end(), made.address_.begin());
  made.port_ = port;
  return made;
}

endpoint endpoint::ipv6(std::array<std::uint8_t, 16> address, std::uint16_t port, std::uint32_t scope) noexcept {
  endpoint made;
  made.family_ = address_family::ipv6;
  made.address_ = address;
  made.port_ = port;
  made.scope_ = scope;
  return made;
}

result<endpoint> endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  // inet_pton would stop at a zero byte and find the rest of no interest.
  if (colon == text.npos || text.find('\0') != text.npos) return invalid();
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return detail::fail(port.error());
  const std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    return parse_ipv6(host.substr(1, host.size() - 2), *port);
  return parse_ipv4(host, *port);
}

std::string to_string(const endpoint& e) {
  char text[INET6_ADDRSTRLEN];
  const bool is_ipv6 = e.family() == address_family::ipv6;
  ::inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, e.address().data(), text, sizeof text);
  const std::string port = std::to_string(e.port());
  if (!is_ipv6) return std::string(text) + ":" + port;
  const std::string scope = e.scope() != 0 ? "%" + scope_name(e.scope()) : "";
  return "[" + std::string(text) + scope + "]:" + port;
}

}  // namespace cordage
