// endpoint to and from what the socket calls take.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <cordage/endpoint.hpp>

namespace cordage::detail {

class socket_address {
 public:
  // To be filled in by a system call.
  socket_address() noexcept = default;

  explicit socket_address(const endpoint& e) noexcept {
    if (e.family() == address_family::ipv4) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_port = htons(e.port());
      std::memcpy(&v4.sin_addr, e.address().data(), sizeof v4.sin_addr);
      store(v4);
    } else {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(e.port());
      v6.sin6_scope_id = e.scope();
      std::memcpy(&v6.sin6_addr, e.address().data(), sizeof v6.sin6_addr);
      store(v6);
    }
  }

  // As a system call has written it.
  template <std::size_t Size>
  explicit socket_address(const std::array<std::byte, Size>& written) noexcept : size_(Size) {
    static_assert(Size <= sizeof storage_);
    std::memcpy(&storage_, written.data(), Size);
  }

  sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&storage_); }
  socklen_t& size() noexcept { return size_; }
  int family() const noexcept { return storage_.ss_family; }

  endpoint to_endpoint() const noexcept {
    if (storage_.ss_family == AF_INET6) {
      const auto v6 = load<sockaddr_in6>();
      std::array<std::uint8_t, 16> address;
      std::memcpy(address.data(), &v6.sin6_addr, address.size());
      return endpoint::ipv6(address, ntohs(v6.sin6_port), v6.sin6_scope_id);
    }
    const auto v4 = load<sockaddr_in>();
    std::array<std::uint8_t, 4> address;
    std::memcpy(address.data(), &v4.sin_addr, address.size());
    return endpoint::ipv4(address, ntohs(v4.sin_port));
  }

 private:
  template <class Address>
  void store(const Address& address) noexcept {
    std::memcpy(&storage_, &address, sizeof address);
    size_ = sizeof address;
  }
  template <class Address>
  Address load() const noexcept {
    Address address;
    std::memcpy(&address, &storage_, sizeof address);
    return address;
  }

  sockaddr_storage storage_{};
  socklen_t size_ = sizeof storage_;
};

}  // namespace cordage::detail
