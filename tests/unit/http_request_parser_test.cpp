// examples/http: requests out of bytes, however these are cut; limits; what answers what is no request.
#include <cstddef>
#include <cstring>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "http/request_parser.hpp"
#include "http/response.hpp"
#include "http_transcript.hpp"

namespace {

using support::transcript;

constexpr http::limits small{.header = 128, .body = 32};

std::string whole(std::string_view bytes, const http::limits& most = small) {
  return transcript(most, bytes, [&] { return bytes.size(); });
}
std::string byte_by_byte(std::string_view bytes, const http::limits& most = small) {
  return transcript(most, bytes, [] { return std::size_t{1}; });
}

struct sample {
  std::string name;
  std::string bytes;
  std::string expected;
};

std::ostream& operator<<(std::ostream& out, const sample& one) { return out << one.name; }

class request_parser : public testing::TestWithParam<sample> {};

TEST_P(request_parser, finds_the_same_however_the_bytes_are_cut) {
  const auto& [name, bytes, expected] = GetParam();
  EXPECT_EQ(whole(bytes), expected);
  EXPECT_EQ(byte_by_byte(bytes), expected);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    std::size_t piece = cut;
    EXPECT_EQ(transcript(small, bytes, [&] { return std::exchange(piece, bytes.size()); }), expected) << "cut at " << cut;
  }
  for (std::size_t length = 2; length < bytes.size(); ++length) {
    EXPECT_EQ(transcript(small, bytes, [&] { return length; }), expected) << "in pieces of " << length;
  }
}

const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string said_get = "GET /\nHost=x\n0:\n";
const std::string post = "POST /echo HTTP/1.1\r\nHost: x\r\n";
const std::string said_post = "POST /echo\nHost=x\n";

INSTANTIATE_TEST_SUITE_P(
    requests, request_parser,
    testing::Values(
        sample{"nothing", "", ""}, sample{"a_part", get.substr(0, 20), "and a part of something\n"},
        sample{"a_simple_one", get, said_get},
        sample{"fields", "GET /a?b HTTP/1.1\r\nHost:  x \r\nEmpty:\r\nB: c d\t\r\n\r\n", "GET /a?b\nHost=x\nEmpty=\nB=c d\n0:\n"},
        sample{"three_at_a_time", get + get + get, said_get + said_get + said_get},
        sample{"empty_lines_before_it", "\r\n\r\n" + get, said_get},
        sample{"an_empty_line_after_it", get + "\r\n", said_get + "and a part of something\n"},
        sample{"of_http_1_0", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 last\n0:\n"},
        sample{"of_http_1_0_that_keeps_the_connection", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get,
               "GET / 1.0\nConnection=keep-alive\n0:\n" + said_get},
        sample{"the_last_one", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + get,
               "GET / last\nHost=x\nConnection=close\n0:\n"},
        sample{"with_a_body", post + "Content-Length: 5\r\n\r\nhello" + get, said_post + "Content-Length=5\n5:hello\n" + said_get},
        sample{"with_a_part_of_a_body", post + "Content-Length: 5\r\n\r\nhel", "and a part of something\n"},
        sample{"with_an_empty_body", post + "Content-Length: 0\r\n\r\n" + get, said_post + "Content-Length=0\n0:\n" + said_get},
        sample{"with_a_body_of_chunks", post + "Transfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n7\r\n, world\r\n0\r\nAfter: all\r\n\r\n" + get,
               said_post + "Transfer-Encoding=Chunked\n12:hello, world\n" + said_get},
        sample{"with_a_part_of_a_chunk", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, w",
               "and a part of something\n"},
        sample{"with_the_longest_body", post + "Content-Length: 32\r\n\r\n" + std::string(32, 'x'),
               said_post + "Content-Length=32\n32:" + std::string(32, 'x') + '\n'},
        sample{"with_the_longest_head", "GET / HTTP/1.1\r\nHost: " + std::string(102, 'x') + "\r\n\r\n" + get,
               "GET /\nHost=" + std::string(102, 'x') + "\n0:\n" + said_get},
        sample{"that_would_like_another_protocol", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + get,
               "GET /\nHost=x\nConnection=Upgrade\nUpgrade=h2c\n0:\n" + said_get}),
    [](const auto& each) { return each.param.name; });

sample refused(const std::string& name, const std::string& bytes, int status, const std::string& before = "") {
  return {name, bytes, before + "refused with " + std::to_string(status) + '\n'};
}

INSTANTIATE_TEST_SUITE_P(
    refusals, request_parser,
    testing::Values(
        refused("garbage", "\x16\x03\x01 hello\r\n\r\n", 400), refused("garbage_after_a_request", get + "}{\r\n\r\n", 400, said_get),
        refused("a_method_that_nobody_knows", "GRUMBLE / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        refused("a_tunnel", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        refused("http_2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        refused("a_version_that_there_is_not", "GET / HTTP/3.7\r\nHost: x\r\n\r\n", 505),
        refused("http_2_in_the_clothes_of_1", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        refused("no_host", "GET / HTTP/1.1\r\n\r\n", 400),
        refused("two_hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        refused("a_field_without_a_colon", "GET / HTTP/1.1\r\nHost x\r\n\r\n", 400),
        refused("a_field_of_two_lines", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
        refused("a_length_that_is_no_number", post + "Content-Length: five\r\n\r\nhello", 400),
        refused("two_lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
        refused("a_length_beside_chunks", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", 400),
        refused("an_unknown_encoding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        refused("a_chunk_of_no_size", post + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        refused("a_body_that_is_too_long", post + "Content-Length: 33\r\n\r\n" + std::string(33, 'x'), 413),
        refused("a_length_that_is_much_too_long", post + "Content-Length: 99999999999999\r\n\r\n", 413),
        refused("a_chunk_that_is_too_long", post + "Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n", 413),
        refused("chunks_that_are_too_long_together",
                post + "Transfer-Encoding: chunked\r\n\r\n18\r\n" + std::string(24, 'x') + "\r\n9\r\nxxxxxxxxx\r\n0\r\n\r\n", 413),
        refused("chunks_that_are_mostly_something_else",
                post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(400, 'x') + "\r\nx\r\n0\r\n\r\n", 413),
        refused("a_head_that_is_too_long", "GET / HTTP/1.1\r\nHost: " + std::string(103, 'x') + "\r\n\r\n", 431),
        refused("many_fields", "GET / HTTP/1.1\r\nHost: x\r\n" + std::string(2000, 'x'), 431),
        refused("a_line_that_is_too_long", "GET /" + std::string(2000, 'x'), 414),
        refused("empty_lines_for_ever", std::string(2000, '\n'), 414)),
    [](const auto& each) { return each.param.name; });

TEST(request_parser_limits, bodies_in_the_smallest_chunks_are_as_long_as_others) {
  std::string bytes = post + "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i < small.body; ++i) bytes += "1\r\nx\r\n";
  bytes += "0\r\n\r\n";
  const std::string expected = said_post + "Transfer-Encoding=chunked\n32:" + std::string(32, 'x') + '\n';
  EXPECT_EQ(whole(bytes), expected);
  EXPECT_EQ(byte_by_byte(bytes), expected);
}

TEST(request_parser_limits, what_does_not_fit_into_the_first_buffer_stays_in_one_piece) {
  const http::limits large{.header = 100'000, .body = 1'000'000};
  std::string bytes = post, expected = said_post;
  for (int i = 0; i < 1000; ++i) {
    bytes += "field-" + std::to_string(i) + ": some value " + std::to_string(i) + "\r\n";
    expected += "field-" + std::to_string(i) + "=some value " + std::to_string(i) + '\n';
  }
  bytes += "Content-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x');
  expected += "Content-Length=1000000\n1000000:" + std::string(1'000'000, 'x') + '\n';
  EXPECT_TRUE(whole(get + bytes + bytes + get, large) == said_get + expected + expected + said_get);
  EXPECT_TRUE(transcript(large, get + bytes + bytes + get, [] { return std::size_t{1000}; }) == said_get + expected + expected + said_get);
}

TEST(request_parser_limits, memory_grows_with_what_arrives_and_not_with_what_is_announced) {
  http::request_parser parser;
  const std::string head = post + "Content-Length: 1000000\r\n\r\n";
  const auto room = parser.room();
  std::memcpy(room.data(), head.data(), head.size());
  parser.received(head.size());
  EXPECT_EQ(parser.next(), nullptr);
  EXPECT_FALSE(parser.room().empty());
  EXPECT_LE(parser.capacity(), 8192U);
}

TEST(request_parser_expectation, is_told_once_and_only_before_the_body) {
  const std::string head = post + "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
  http::request_parser parser;
  const auto feed = [&](std::string_view bytes) {
    std::memcpy(parser.room().data(), bytes.data(), bytes.size());
    parser.received(bytes.size());
    return parser.next() != nullptr;
  };
  EXPECT_FALSE(feed(head.substr(0, 30)));
  EXPECT_FALSE(parser.takes_continue());
  EXPECT_FALSE(feed(head.substr(30)));
  EXPECT_TRUE(parser.takes_continue());
  EXPECT_FALSE(parser.takes_continue());
  EXPECT_TRUE(feed("ab"));
  EXPECT_TRUE(feed(head + "ab"));
  EXPECT_FALSE(parser.takes_continue()) << "it has been sent already";
  EXPECT_FALSE(feed(head + "a"));
  EXPECT_FALSE(parser.takes_continue()) << "it is being sent already";
}

// Without the date, which is another one each second.
std::string answer(const http::response& given, const http::request& asked, bool last) {
  std::string text;
  http::append(text, given, asked, last);
  const std::size_t date = text.find("Date: ");
  return text.erase(date, text.find("\r\n", date) + 2 - date);
}

TEST(response, says_how_long_it_is_and_what_becomes_of_the_connection) {
  const std::string type = "Content-Type: text/plain\r\n";
  EXPECT_EQ(answer({.body = "hello"}, {.method = "GET"}, false), "HTTP/1.1 200 OK\r\n" + type + "Content-Length: 5\r\n\r\nhello");
  EXPECT_EQ(answer({.body = "hello"}, {.method = "HEAD"}, false), "HTTP/1.1 200 OK\r\n" + type + "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(answer({.status = 405, .fields = "Allow: POST\r\n"}, {.method = "GET"}, true),
            "HTTP/1.1 405 Method Not Allowed\r\n" + type + "Content-Length: 0\r\nAllow: POST\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer({.body = "x"}, {.method = "GET", .is_http_1_0 = true}, false),
            "HTTP/1.1 200 OK\r\n" + type + "Content-Length: 1\r\nConnection: keep-alive\r\n\r\nx");
}

}  // namespace
