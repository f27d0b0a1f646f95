// What became of something that was run: a value, an exception, or a stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>

namespace cordage::detail {

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

// Frames begin with two pointers, and right behind them, without a gap, their promise must lie (promise_of). So what a promise
// holds is not aligned more strictly than that.
inline constexpr std::size_t promise_alignment = 2 * sizeof(void*);

// Room for a value that is: it finds its place by itself.
template <class T>
struct padded {
  T* value() noexcept {
    const auto to_align = -reinterpret_cast<std::uintptr_t>(bytes) % alignof(T);
    return reinterpret_cast<T*>(bytes + to_align);
  }

  alignas(void*) std::byte bytes[sizeof(T) + alignof(T) - alignof(void*)];
};

// What a coroutine keeps of its own outcome: its value. Its exception goes to whoever awaits it, so that a frame whose
// value needs no destruction needs none either.
//
// One thread at a time. Set once, taken once.
template <class T>
class value_slot {
 public:
  using kept = typename stored<T>::type;
  static constexpr bool is_padded = alignof(kept) > promise_alignment;

  value_slot() noexcept {
    if constexpr (is_padded) std::construct_at(&kept_);
  }
  value_slot(const value_slot&) = delete;
  value_slot& operator=(const value_slot&) = delete;
  ~value_slot()
    requires std::is_trivially_destructible_v<kept>
  = default;
  ~value_slot() {
    if (state_ == outcome_state::value) std::destroy_at(place());
  }

  outcome_state state() const noexcept { return state_; }

  template <class... Args>
  void set_value(Args&&... args) {
    if constexpr (std::is_reference_v<T>) {
      std::construct_at(place(), std::addressof(args)...);
    } else {
      std::construct_at(place(), std::forward<Args>(args)...);
    }
    state_ = outcome_state::value;
  }

  // For ends without a value, or with one that did not outlive a destructor that threw.
  void set_state(outcome_state ended) noexcept {
    if constexpr (!std::is_trivially_destructible_v<kept>) {
      if (state_ == outcome_state::value) std::destroy_at(place());
    }
    state_ = ended;
  }

  // Only in state value; the reference is good as long as the slot.
  kept& value() noexcept { return *place(); }

  T take() {
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_reference_v<T>) {
      return *value();
    } else {
      return std::move(value());
    }
  }

 private:
  kept* place() noexcept {
    if constexpr (is_padded) {
      return kept_.value();
    } else {
      return &kept_;
    }
  }

  union {
    std::conditional_t<is_padded, padded<kept>, kept> kept_;
  };
  outcome_state state_ = outcome_state::pending;
};

// The whole outcome, kept where nobody is sure to ask for it.
template <class T>
class outcome : public value_slot<T> {
 public:
  void set_exception(std::exception_ptr exception) noexcept {
    exception_ = std::move(exception);
    this->set_state(outcome_state::exception);
  }
  // Moves the value of a coroutine in here, if it has one.
  void adopt(value_slot<T>& from) {
    if (from.state() != outcome_state::value) return;
    if constexpr (std::is_void_v<T>) {
      this->set_value();
    } else {
      this->set_value(from.take());
    }
  }
  void set_stopped() noexcept { this->set_state(outcome_state::stopped); }

  const std::exception_ptr& exception() const noexcept { return exception_; }

  // The value, or the exception thrown. Not after a stop, which is for the caller to see first. Once: whoever takes the exception
  // is its owner then, and not the last of two threads that let go of where this lies.
  T take() {
    if (this->state() == outcome_state::value) [[likely]] return value_slot<T>::take();
    expects(this->state() == outcome_state::exception, "a value was taken from something that has not ended with one");
    std::rethrow_exception(std::exchange(exception_, nullptr));
  }

 private:
  std::exception_ptr exception_;
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
