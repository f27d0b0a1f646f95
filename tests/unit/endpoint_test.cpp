#include <cordage/endpoint.hpp>

#include <random>

#include <gtest/gtest.h>

namespace {

using cordage::endpoint;

TEST(endpoint, prints_what_it_parsed) {
  for (const char* text : {"127.0.0.1:7007", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:0",
                           "[2001:db8::ff00:42:8329]:443", "[::ffff:192.0.2.1]:1"}) {
    const auto parsed = endpoint::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(to_string(*parsed), text);
  }
}

TEST(endpoint, refuses_what_is_no_address_and_port) {
  for (const char* text :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:80 ", " 127.0.0.1:80",
        "127.0.0.1:+80", "127.0.0.1:0x50", "256.0.0.1:1", "1.2.3:4", "localhost:80", "::1:80", "[::1]", "[::1]80",
        "[::1:80", "::1]:80", "[127.0.0.1]:80", "[]:80", "[::1%]:80", "127.0.0.1:99999999999999999999"}) {
    const auto parsed = endpoint::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_TRUE(parsed.error() == std::errc::invalid_argument || parsed.error() == std::errc::no_such_device) << text;
  }
}

TEST(endpoint, refuses_a_zero_byte_in_the_middle) {
  EXPECT_FALSE(endpoint::parse(std::string_view("127.0.0.1\0evil:80", 17)));
}

TEST(endpoint, knows_the_scope_of_a_link_local_address_by_name_and_by_number) {
  const auto by_name = endpoint::parse("[fe80::1%lo]:80");
  ASSERT_TRUE(by_name);
  EXPECT_NE(by_name->scope(), 0U);
  EXPECT_EQ(to_string(*by_name), "[fe80::1%lo]:80");
  const auto by_number = endpoint::parse("[fe80::1%" + std::to_string(by_name->scope()) + "]:80");
  ASSERT_TRUE(by_number);
  EXPECT_EQ(*by_number, *by_name);
  EXPECT_EQ(endpoint::parse("[fe80::1%nosuchif0]:80").error(), std::errc::no_such_device);
}

TEST(endpoint, survives_garbage) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string_view alphabet = "0123456789.:[]%abcdefg-+ \0";
  for (int i = 0; i < 100'000; ++i) {
    std::string text(random() % 24, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    if (const auto parsed = endpoint::parse(text)) {
      EXPECT_EQ(endpoint::parse(to_string(*parsed)), parsed) << text;
    }
  }
}

TEST(endpoint, compares_family_address_port_and_scope) {
  EXPECT_EQ(endpoint::ipv4({127, 0, 0, 1}, 80), *endpoint::parse("127.0.0.1:80"));
  EXPECT_NE(endpoint::ipv4({127, 0, 0, 1}, 80), endpoint::ipv4({127, 0, 0, 1}, 81));
  EXPECT_NE(endpoint::ipv4({}, 80), endpoint::ipv6({}, 80));
  EXPECT_EQ(endpoint::ipv4({1, 2, 3, 4}, 80).with_port(7), *endpoint::parse("1.2.3.4:7"));
}

}  // namespace
