// Arbitrary bytes as HTTP: the parser finds the same requests however the bytes are cut and keeps to its limits, and
// llhttp, as a client has it, reads from the answers what was written.
//
// The first byte of an input chooses the limits, the second how the rest is cut.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/request_parser.hpp"
#include "http/response.hpp"
#include "http_transcript.hpp"

namespace {

using support::require;

// A client that reads answers.
class reader {
 public:
  explicit reader(const std::vector<bool>& without_body) : without_body_(without_body) {
    llhttp_settings_init(&settings_);
    settings_.on_headers_complete = [](llhttp_t* machine) {
      const reader& self = *static_cast<reader*>(machine->data);
      return self.complete_ < self.without_body_.size() && self.without_body_[self.complete_] ? 1 : 0;
    };
    settings_.on_message_complete = [](llhttp_t* machine) {
      ++static_cast<reader*>(machine->data)->complete_;
      return 0;
    };
    llhttp_init(&machine_, HTTP_RESPONSE, &settings_);
    machine_.data = this;
  }

  std::size_t read(std::string_view answers) {
    require(llhttp_execute(&machine_, answers.data(), answers.size()) == HPE_OK, "an answer is malformed");
    require(llhttp_finish(&machine_) == HPE_OK, "an answer is not whole");
    return complete_;
  }

 private:
  const std::vector<bool>& without_body_;
  llhttp_settings_t settings_;
  llhttp_t machine_;
  std::size_t complete_ = 0;
};

void check_answers(const http::limits& most, std::string_view bytes) {
  std::string answers;
  std::vector<bool> without_body;
  const auto echo = [&](const http::request& asked) {
    http::append(answers, {.body = std::string(asked.body)}, asked, !asked.keep_alive);
    without_body.push_back(asked.method == "HEAD");
  };
  support::transcript(most, bytes, [&] { return bytes.size(); }, echo);
  require(reader(without_body).read(answers) == without_body.size(), "there are more answers than requests, or less");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const http::limits most = data[0] % 2 == 0 ? http::limits{.header = 256, .body = 64} : http::limits{};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string expected = support::transcript(most, bytes, [&] { return bytes.size(); });
  std::uint32_t state = data[1];
  const auto some = [&] { return 1 + ((state = state * 1664525 + 1013904223) >> 16) % (1 + data[0] / 2U); };
  require(support::transcript(most, bytes, [&]() -> std::size_t { return some(); }) == expected, "pieces make a difference");
  require(support::transcript(most, bytes, [] { return std::size_t{1}; }) == expected, "single bytes make a difference");
  check_answers(most, bytes);
  return 0;
}
