// What became of something that was run: a value, an exception, or a stop.
#pragma once

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>

namespace cordage::detail {

CORDAGE_RARELY_CALLED inline void destroy_exception(std::exception_ptr& exception) noexcept {
  std::destroy_at(&exception);
}

enum class outcome_state : unsigned char { pending, value, exception, stopped };

// How a value is kept: references as pointers, void as nothing.
template <class T>
struct stored {
  using type = T;
};
template <class T>
struct stored<T&> {
  using type = T*;
};
template <>
struct stored<void> {
  using type = std::monostate;
};

// One thread at a time. Set once, taken once.
template <class T>
class outcome {
  using kept = typename stored<T>::type;

 public:
  outcome() noexcept {}
  outcome(const outcome&) = delete;
  outcome& operator=(const outcome&) = delete;
  ~outcome() {
    if (state_ == outcome_state::value) std::destroy_at(&value_);
    if (state_ == outcome_state::exception) [[unlikely]] destroy_exception(exception_);
  }

  outcome_state state() const noexcept { return state_; }

  template <class... Args>
  void set_value(Args&&... args) {
    if constexpr (std::is_reference_v<T>) {
      std::construct_at(&value_, std::addressof(args)...);
    } else {
      std::construct_at(&value_, std::forward<Args>(args)...);
    }
    state_ = outcome_state::value;
  }

  void set_exception(std::exception_ptr exception) noexcept {
    std::construct_at(&exception_, std::move(exception));
    state_ = outcome_state::exception;
  }

  void set_stopped() noexcept { state_ = outcome_state::stopped; }

  // Moves what the other holds in here, where nothing is yet.
  void adopt(outcome& other) {
    if (other.state_ == outcome_state::value) std::construct_at(&value_, std::move(other.value_));
    if (other.state_ == outcome_state::exception) std::construct_at(&exception_, std::move(other.exception_));
    state_ = other.state_;
  }

  // Only in state value; the reference is good as long as the outcome.
  kept& value() noexcept { return value_; }
  const std::exception_ptr& exception() const noexcept { return exception_; }

  // The value, or the exception thrown. Not after a stop, which is for the caller to see first.
  T take() {
    if (state_ != outcome_state::value) [[unlikely]] rethrow();
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_reference_v<T>) {
      return *value_;
    } else {
      return std::move(value_);
    }
  }

 private:
  [[noreturn]] void rethrow() {
    expects(state_ == outcome_state::exception, "a value was taken from something that has not ended with one");
    std::rethrow_exception(exception_);
  }

  union {
    kept value_;
    std::exception_ptr exception_;
  };
  outcome_state state_ = outcome_state::pending;
};

// Runs f and keeps what it gives or throws.
template <class T, class F>
void run_into(outcome<T>& into, F&& f) {
  catching(
      [&] {
        if constexpr (std::is_void_v<T>) {
          std::forward<F>(f)();
          into.set_value();
        } else {
          into.set_value(std::forward<F>(f)());
        }
      },
      [&](std::exception_ptr exception) { into.set_exception(std::move(exception)); });
}

}  // namespace cordage::detail
