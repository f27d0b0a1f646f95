// Two ends of one connection over loopback, for tests that run on a fiber.
#pragma once

#include <sys/socket.h>

#include <utility>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/tcp.hpp>

namespace support {

inline cordage::tcp::listener any_port() {
  return std::move(*cordage::tcp::listener::bind(*cordage::endpoint::parse("127.0.0.1:0")));
}

struct connection {
  cordage::tcp::stream a, b;
};

inline connection connected() {
  auto listener = any_port();
  auto connecting = cordage::spawn([&] { return cordage::await(!cordage::tcp::connect(listener.local())); });
  auto accepted = cordage::await(!listener.accept());
  auto joined = cordage::await(connecting);
  return {std::move(*joined), std::move(accepted)};
}

// Closes it so that the other end is told of an error.
inline void reset(cordage::tcp::stream& one) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(::setsockopt(one.its_descriptor()->fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  one.close();
}

}  // namespace support
