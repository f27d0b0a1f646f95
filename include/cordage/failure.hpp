// What a strand failed with: an exception or an error.
//
// Any thread; owns what it holds. Handed to whoever answers for strands that nobody joins: the on_error of
// spawn_isolated and tcp::serve, the failure handler of a runtime.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/awaiter.hpp>
#include <cordage/strands/outcome.hpp>

namespace cordage {

class failure {
 public:
  failure() noexcept = default;
  explicit failure(cordage::error code) noexcept : error_(code), failed_(true) {}
  explicit failure(std::exception_ptr exception) noexcept : exception_(std::move(exception)), failed_(true) {}

  // False: there was no failure.
  explicit operator bool() const noexcept { return failed_; }

  // Null unless it was an exception.
  const std::exception_ptr& exception() const noexcept { return exception_; }
  // Only if it was no exception.
  cordage::error error() const noexcept { return error_; }

  // The exception's what(), or the error's message.
  std::string message() const;

  // Throws the exception, or the error as std::system_error.
  [[noreturn]] void raise() const {
    if (exception_ != nullptr) std::rethrow_exception(exception_);
    detail::raise(error_);
  }

 private:
  std::exception_ptr exception_;
  cordage::error error_{};
  bool failed_ = false;
};

namespace detail {

// Neither a value nor a stop is a failure.
template <class T>
failure failure_of(outcome<T>& ended) {
  if (ended.state() == outcome_state::exception) return failure(ended.exception());
  if constexpr (gives_error<T>) {
    if (ended.state() == outcome_state::value && !ended.value()) return failure(ended.value().error());
  }
  return {};
}

}  // namespace detail
}  // namespace cordage
