// What one has who was let in: gives it back when it is destroyed.
#pragma once

#include <utility>

#include <cordage/base/fatal.hpp>

namespace cordage::detail {

// Move-only; may be given back on any thread. What says how much or in which way, and is what Of::give_back takes.
template <class Of, class What>
class [[nodiscard]] holding {
 public:
  holding() noexcept = default;
  holding(holding&& other) noexcept : of_(std::exchange(other.of_, nullptr)), what_(other.what_) {}
  holding& operator=(holding&& other) noexcept {
    holding taken(std::move(other));
    std::swap(of_, taken.of_);
    std::swap(what_, taken.what_);
    return *this;
  }
  ~holding() {
    if (of_ != nullptr) of_->give_back(what_);
  }

  // Whether it holds anything: not once it was moved from or given back, nor from a try that found nothing.
  explicit operator bool() const noexcept { return of_ != nullptr; }

  // Gives back before the end of the block.
  void unlock() noexcept {
    expects(of_ != nullptr, "what was unlocked is not held: it was moved from, unlocked before, or the try had failed");
    std::exchange(of_, nullptr)->give_back(what_);
  }

 private:
  friend Of;
  holding(Of& of, What what) noexcept : of_(&of), what_(what) {}

  Of* of_ = nullptr;
  [[no_unique_address]] What what_{};
};

}  // namespace cordage::detail
