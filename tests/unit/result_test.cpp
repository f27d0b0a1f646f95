#include <cordage/result.hpp>

#include <cerrno>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace {

using cordage::errc;

TEST(result, equals_the_conditions_of_std_errc_where_there_is_one) {
  EXPECT_EQ(make_error_code(errc::stopped), std::errc::operation_canceled);
  EXPECT_EQ(make_error_code(errc::timed_out), std::errc::timed_out);
  EXPECT_EQ(make_error_code(errc::out_of_memory), std::errc::not_enough_memory);
  EXPECT_EQ(make_error_code(errc::invalid_endpoint), std::errc::invalid_argument);
  EXPECT_NE(make_error_code(errc::closed), std::errc::operation_canceled);
}

TEST(result, every_error_has_a_message_of_its_own) {
  std::set<std::string> messages;
  for (int code = static_cast<int>(errc::timed_out); code <= static_cast<int>(errc::invalid_endpoint); ++code)
    messages.insert(cordage::category().message(code));
  EXPECT_EQ(messages.size(), 8U);
  EXPECT_FALSE(messages.contains("unknown error"));
  EXPECT_STREQ(cordage::category().name(), "cordage");
}

TEST(result, takes_an_error_of_any_enumeration_that_is_an_error_code) {
  cordage::result<int> own = cordage::detail::fail(errc::closed);
  EXPECT_EQ(own.error(), errc::closed);
  cordage::result<int> systems = cordage::detail::fail(std::error_code(ECONNRESET, std::system_category()));
  EXPECT_EQ(systems.error(), std::errc::connection_reset);
}

}  // namespace
