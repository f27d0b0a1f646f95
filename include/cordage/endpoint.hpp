// endpoint: an IP address and a port.
//
// Any thread; a value. Names are not looked up here: parse takes numbers only.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <tuple>

#include <cordage/result.hpp>

namespace cordage {

enum class address_family : std::uint8_t { ipv4, ipv6 };

class endpoint {
 public:
  // 0.0.0.0:0
  endpoint() noexcept = default;

  static endpoint ipv4(std::array<std::uint8_t, 4> address, std::uint16_t port) noexcept;
  // scope: the interface a link-local address belongs to, 0 without one.
  static endpoint ipv6(std::array<std::uint8_t, 16> address, std::uint16_t port, std::uint32_t scope = 0) noexcept;

  // "127.0.0.1:7007", "[::1]:7007", "[fe80::1%eth0]:7007". The port is required, 0 to 65535. Anything else is
  // std::errc::invalid_argument; an interface that does not exist is std::errc::no_such_device.
  static result<endpoint> parse(std::string_view text);

  address_family family() const noexcept { return family_; }
  std::uint16_t port() const noexcept { return port_; }
  // The first four bytes of it for IPv4; in network order.
  const std::array<std::uint8_t, 16>& address() const noexcept { return address_; }
  std::uint32_t scope() const noexcept { return scope_; }

  endpoint with_port(std::uint16_t port) const noexcept {
    endpoint changed = *this;
    changed.port_ = port;
    return changed;
  }

  friend bool operator==(const endpoint&, const endpoint&) noexcept = default;
  // Spelled out, since not every standard library in use orders arrays.
  friend std::strong_ordering operator<=>(const endpoint& a, const endpoint& b) noexcept {
    const auto order = std::tie(a.family_, a.port_, a.scope_) <=> std::tie(b.family_, b.port_, b.scope_);
    return order != 0 ? order : std::memcmp(a.address_.data(), b.address_.data(), a.address_.size()) <=> 0;
  }

 private:
  address_family family_ = address_family::ipv4;
  std::uint16_t port_ = 0;
  std::uint32_t scope_ = 0;
  std::array<std::uint8_t, 16> address_{};
};

// As parse takes it; a scope is printed as its interface's name where it has one.
std::string to_string(const endpoint& e);

}  // namespace cordage
