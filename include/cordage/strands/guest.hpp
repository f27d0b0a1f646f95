// Our operations in the coroutines of others: `co_await sleep_for(1ms)` in any coroutine that runs on one of our executors.
//
// A coroutine of another library is a boundary for stop: it goes on by what its promise's unhandled_stopped() gives where
// there is one, and by a std::system_error with errc::stopped otherwise. Each wait is a strand of its own, which the runtime
// answers for: it is stopped with the rest, and the runtime does not end before it.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/checked.hpp>
#include <cordage/strands/awaiter.hpp>
#include <cordage/strands/frame_memory.hpp>
#include <cordage/strands/spawned.hpp>

namespace cordage::detail {

class guest_strand final : public joinable, public recycled_frame {
 public:
  guest_strand(executor& where, strand_group& group) noexcept : joinable(where, strand_kind::task, group) {
    group.adopt(*this);
  }
  // The wait is over; this may be gone now.
  void wait_over() noexcept {
    waiting_on = nullptr;
    end_when_walked();
  }

 private:
  void end() noexcept override { finish({}); }
  void destroy() noexcept override { delete this; }
};

// Op is a reference where an lvalue is awaited.
template <class Op, error_mode Mode>
class guest_awaiter : coroutine_node<wait> {
 public:
  template <class X>
  explicit guest_awaiter(std::in_place_t, X&& awaited) : op_(as_operation(std::forward<X>(awaited))) {}
  guest_awaiter(const guest_awaiter&) = delete;
  guest_awaiter& operator=(const guest_awaiter&) = delete;
  // The coroutine may be destroyed while it waits, as ours may not.
  ~guest_awaiter() {
    if (under_way_) [[unlikely]] withdraw();
  }

  bool await_ready() const noexcept { return false; }

  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) {
    executor* const here = executor::running();
    if (here == nullptr) [[unlikely]]
      throw_exception<std::logic_error>("a coroutine of another library awaited outside a runtime",
                                        "cordage: a coroutine of another library awaited an operation outside a runtime");
    waiter_ = self;
    home = here;
    // The first group is that of the runtime itself.
    detail::strand* const code_of = here->current_strand;
    strand_ = new guest_strand(*here, here->groups().front());
    if constexpr (requires { op_.attach(*strand_); }) op_.attach(*strand_);
    if constexpr (!begins_although_stopped<std::remove_reference_t<Op>>) {
      if (strand_->stopping()) [[unlikely]] return stopped_handle<Promise>();
    }
    bool ready = false;
    catching([&] { ready = op_.ready(); },
             [&](std::exception_ptr thrown) {
               strand_->wait_over();
               std::rethrow_exception(std::move(thrown));
             });
    if (ready) return over<Promise>();
    run = completed<Promise>;
    type = &type_of<Promise>;
    strand_->waiting_on = this;
    under_way_ = true;
    if (op_.start(*this)) return std::noop_coroutine();
    here->current_strand = code_of;
    return over<Promise>();
  }

  // The operation may ask its strand for what it gives: that ends here.
  decltype(auto) await_resume() {
    struct ends_strand {
      guest_strand& strand;
      ~ends_strand() { strand.wait_over(); }
    } const at_the_end{*strand_};
    if (stopped_) [[unlikely]] {
      using given = decltype(op_.get());
      if constexpr (!config::exceptions && Mode == error_mode::give && takes_error<given>) {
        return failed_as<given>(errc::stopped);
      } else {
        raise(errc::stopped, op_);
      }
    }
    if constexpr (Mode == error_mode::raise) {
      return value_or_raise(op_.get(), op_);
    } else {
      return op_.get();
    }
  }

 private:
  template <class Promise>
  std::coroutine_handle<> over() noexcept {
    under_way_ = false;
    strand_->waiting_on = nullptr;
    return was_stopped(op_) ? stopped_handle<Promise>() : waiter_;
  }

  // By whom to go on after a stop.
  template <class Promise>
  std::coroutine_handle<> stopped_handle() noexcept {
    if constexpr (requires(Promise& p) { std::coroutine_handle<>(p.unhandled_stopped()); }) {
      strand_->wait_over();
      return std::coroutine_handle<Promise>::from_address(waiter_.address()).promise().unhandled_stopped();
    } else {
      stopped_ = true;
      return waiter_;
    }
  }

  template <class Promise>
  static void completed(resumable& node) {
    static_cast<guest_awaiter&>(node).template over<Promise>().resume();
  }
  // The innermost wait is this one, or one of a task of ours, whose frames are destroyed then.
  void withdraw() noexcept {
    wait* const innermost = strand_->waiting_on;
    expects(innermost != nullptr && innermost->type->cancel(*innermost) == cancel_result::withdrawn,
            "a coroutine was destroyed while it awaited what can no longer be withdrawn; stop it, and wait for its end");
    if constexpr (requires { op_.forget_waiter(); }) {
      op_.forget_waiter();
      if (innermost != this) innermost->type->stopped(*innermost);
    }
    strand_->wait_over();
  }

  // For the walk that stops the strand.
  static cancel_result cancel(wait& w) noexcept { return static_cast<guest_awaiter&>(w).op_.cancel(); }
  template <class Promise>
  static void stopped(wait& w) noexcept {
    auto& self = static_cast<guest_awaiter&>(w);
    self.under_way_ = false;
    self.template stopped_handle<Promise>().resume();
  }
  static void shown(wait& w, onlooker& to) {
    auto& self = static_cast<guest_awaiter&>(w);
    to.waits({.frame = self.waiter_});
    detail::show(self.op_, to);
  }
  template <class Promise>
  static constexpr wait_type type_of{cancel, stopped<Promise>, nullptr, operation_name<std::remove_reference_t<Op>>, shown};

  guest_strand* strand_ = nullptr;
  bool under_way_ = false;
  bool stopped_ = false;
  Op op_;
};

template <error_mode Mode, class X>
auto await_as_guest(X&& x) {
  using kept = kept_of<decltype(as_operation(std::forward<X>(x)))>;
  return guest_awaiter<kept, Mode>(std::in_place, std::forward<X>(x));
}

}  // namespace cordage::detail

namespace cordage {

// Found by argument-dependent look-up wherever a coroutine awaits one of ours and has no await_transform that knows it.
template <detail::operation_like X>
auto operator co_await(X&& x) {
  return detail::await_as_guest<detail::error_mode::give>(std::forward<X>(x));
}
template <class X>
auto operator co_await(checked_awaitable<X>&& x) {
  return detail::await_as_guest<detail::error_mode::raise>(static_cast<X&&>(x.what));
}

namespace detail {
using cordage::operator co_await;
}
namespace tcp::detail {
using cordage::operator co_await;
}

}  // namespace cordage
