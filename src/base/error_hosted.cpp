#include <string>

#include <cordage/base/error_hosted.hpp>

namespace cordage {
namespace {

class category_type final : public std::error_category {
 public:
  const char* name() const noexcept override { return "cordage"; }

  std::string message(int code) const override {
    switch (static_cast<errc>(code)) {
      case errc::timed_out: return "timed out";
      case errc::stopped: return "stopped";
      case errc::end_of_stream: return "end of stream";
      case errc::broken_promise: return "broken promise: whoever should have completed this wait dropped it";
      case errc::closed: return "closed";
      case errc::lost_race: return "another alternative completed first";
      case errc::out_of_memory: return "out of memory";
      case errc::invalid_endpoint: return "not a numeric ADDRESS:PORT such as 127.0.0.1:80 or [::1]:80";
      case errc::lagged: return "lagged behind: values were overwritten before they were received";
      case errc::too_long: return "too long";
    }
    return "unknown error";
  }

  std::error_condition default_error_condition(int code) const noexcept override {
    switch (static_cast<errc>(code)) {
      case errc::timed_out: return std::errc::timed_out;
      case errc::stopped: return std::errc::operation_canceled;
      case errc::out_of_memory: return std::errc::not_enough_memory;
      case errc::invalid_endpoint: return std::errc::invalid_argument;
      case errc::too_long: return std::errc::message_size;
      default: return {code, *this};
    }
  }
};

}  // namespace

const std::error_category& category() noexcept {
  static const category_type the_category;
  return the_category;
}

}  // namespace cordage
