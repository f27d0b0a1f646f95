// broadcast<T>: every receiver gets every value that is sent after it has subscribed.
//
//   broadcast<message> news(16);
//   auto mine = news.subscribe();
//   news.send({…});                                          // never waits
//   for (;;) {
//     const auto next = co_await mine.receive();
//     if (next) …
//     else if (next.error() == errc::closed) break;          // the other is errc::lagged, see below
//   }
//
// It keeps the newest values, as many as its capacity. A receiver that is further behind is told so, once, with
// errc::lagged, and goes on with the oldest that is left: who sends is never held up by who is slow. Receivers on the same worker as who sends get
// their turn when that one waits: who sends many in a row lets them have it, by yield_now.
//
// Any thread may use it, and none ever blocks. A receiver gets copies; of what is large let T be a shared_ptr<const …>.
// The broadcast outlives its receivers.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <cordage/base/fatal.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/frame_memory.hpp>
#include <cordage/sync/broadcast_core.hpp>

namespace cordage {

template <std::copy_constructible T>
class broadcast {
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__, "broadcast<T>: send a pointer to what is aligned like this");

  struct cell : detail::broadcast_cell, detail::recycled_frame {
    template <class... Args>
    explicit cell(std::in_place_t, Args&&... args) : value(std::forward<Args>(args)...) {}

    const T value;
  };

 public:
  // Throws std::bad_alloc.
  explicit broadcast(std::size_t capacity) : core_(capacity) {}
  broadcast(const broadcast&) = delete;
  broadcast& operator=(const broadcast&) = delete;
  // There may be no receivers of it; asserted.
  ~broadcast() {
    while (detail::broadcast_cell* const left = core_.take_left_over()) let_go(left);
  }

  // One receiver; used by one strand at a time. Move-only, while it does not receive.
  class receiver {
   public:
    receiver(receiver&& other) noexcept : of_(std::exchange(other.of_, nullptr)), at_(other.at_) {}
    receiver& operator=(receiver&& other) noexcept {
      receiver taken(std::move(other));
      std::swap(of_, taken.of_);
      std::swap(at_, taken.at_);
      return *this;
    }
    ~receiver() {
      if (of_ != nullptr) of_->core_.unsubscribe();
    }

    // Completes with a result<T>: the next value; errc::lagged where values were missed, once, after which it goes on with
    // the oldest that is left; errc::closed when it is closed and there is nothing more. Throws what copying throws. Stop
    // withdraws it; nothing is missed by that.
    [[nodiscard]] auto receive() noexcept {
      detail::expects(of_ != nullptr, "a receiver was used that had been moved from");
      return receive_operation(of_->core_, at_);
    }

    // How many values it has missed so far.
    std::uint64_t missed() const noexcept { return at_.missed; }

   private:
    friend broadcast;
    explicit receiver(broadcast& of) noexcept : of_(&of), at_(of.core_.subscribe()) {}

    broadcast* of_;
    detail::broadcast_position at_;
  };

  receiver subscribe() noexcept { return receiver(*this); }

  // The value, made of `args`, to all receivers. False if it is closed. Throws std::bad_alloc and what making it throws.
  template <class... Args>
    requires std::is_constructible_v<T, Args&&...>
  bool send(Args&&... args) {
    auto* const sent = new cell(std::in_place, std::forward<Args>(args)...);
    detail::broadcast_cell* const left = core_.send(*sent);
    let_go(left);
    return left != sent;
  }
  // For send({…}).
  bool send(T&& value)
    requires std::move_constructible<T>
  {
    return send<T>(std::move(value));
  }

  // No more is sent; receivers get what they have not received yet, then errc::closed. Once or more often.
  void close() noexcept { core_.close(); }

  // Only a hint where others use it.
  std::size_t receivers() noexcept { return core_.receivers(); }

 private:
  // To a value that was received, given back when it has been copied, or copying has thrown.
  struct reference {
    explicit reference(detail::broadcast_cell* of) noexcept : to(static_cast<cell*>(of)) {}
    reference(const reference&) = delete;
    ~reference() { let_go(to); }
    cell* const to;
  };

  // Movable until it is started.
  class [[nodiscard]] receive_operation {
   public:
    static constexpr const char* name = "broadcast.receive";

    receive_operation(detail::broadcast_core& core, detail::broadcast_position& at) noexcept : core_(&core) { place_.at = &at; }
    receive_operation(receive_operation&& other) noexcept : core_(other.core_) { place_.at = other.place_.at; }
    ~receive_operation() { let_go(place_.cell); }

    void attach(detail::strand& on) noexcept { place_.begin_on(on); }
    void on_behalf_of(detail::strand& whom) noexcept { place_.who = &whom; }
    void join(detail::race& with) noexcept { place_.racing = &with; }
    bool ready() noexcept { return core_->try_receive(place_); }
    bool start(resumable& node) noexcept { return core_->wait(place_, node); }
    cancel_result cancel() noexcept { return core_->leave(place_); }
    [[nodiscard]] result<T> get() {
      if (place_.lagged) return detail::fail(errc::lagged);
      if (place_.cell == nullptr) return detail::fail(errc::closed);
      const reference received(std::exchange(place_.cell, nullptr));
      return received.to->value;
    }

   private:
    detail::broadcast_core* core_;
    detail::broadcast_place place_;
  };

  static void let_go(detail::broadcast_cell* of) noexcept {
    if (of != nullptr && of->release()) delete static_cast<cell*>(of);
  }

  detail::broadcast_core core_;
};

}  // namespace cordage
