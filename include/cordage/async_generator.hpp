// async_generator<T>: a sequence whose producer may wait between its elements. for_each: everything in it.
//
//   async_generator<std::string> lines(tcp::stream peer) {
//     while (…) { … co_await !peer.read_some(buffer); … co_yield line; }
//   }
//   co_await for_each(lines(std::move(peer)), [](const std::string& line) { … });
//
//   auto sequence = lines(std::move(peer));                                            // or by hand; in a fiber: await(…)
//   for (auto it = co_await sequence.begin(); it != sequence.end(); co_await ++it) …
//
// Lazy; the body runs on the strand that waits for the next element, and only then. One strand at a time.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <cordage/base/closure.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/task.hpp>

namespace cordage {

template <class T>
class async_generator;

namespace detail {

template <class T>
class async_generator_promise : public task_promise_base<void>, public recycled_frame {
 public:
  using reference = std::conditional_t<std::is_reference_v<T>, T, T&>;
  using pointer = std::add_pointer_t<reference>;

  async_generator<T> get_return_object() noexcept;
  void return_void() noexcept { current_ = nullptr; }
  void unhandled_exception() noexcept {
    current_ = nullptr;
    value.set_state(outcome_state::exception);
    keep_current_exception();
  }

  // The value stays where it is until the next one is asked for.
  struct handed_over : std::suspend_always {
    void await_suspend(std::coroutine_handle<> self) const noexcept { end_root(promise_of(self), frame_end::yielded); }
  };
  handed_over yield_value(reference element) noexcept {
    current_ = std::addressof(element);
    return {};
  }
  handed_over yield_value(std::remove_reference_t<T>&& element) noexcept
    requires(!std::is_lvalue_reference_v<T>)
  {
    current_ = std::addressof(element);
    return {};
  }

  // Of what must not be changed a copy is yielded.
  struct copied : handed_over {
    std::remove_cvref_t<T> copy;

    explicit copied(const std::remove_cvref_t<T>& of) : copy(of) {}
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) noexcept {
      self.promise().current_ = std::addressof(copy);
      handed_over::await_suspend(self);
    }
  };
  copied yield_value(const std::remove_reference_t<T>& element)
    requires(!std::is_reference_v<T> && !std::is_const_v<T> && std::copy_constructible<T>)
  {
    return copied(element);
  }

  // Null at the end.
  pointer current() const noexcept { return current_; }

 private:
  pointer current_ = nullptr;
};

// Runs the generator up to its next element. While it runs the frame is this operation's, so that a stop takes it down
// like that of a task.
template <class T>
class advance_operation : public waiting_root {
  using promise = async_generator_promise<T>;

 public:
  static constexpr const char* name = "the next element of an async_generator";

  advance_operation(async_generator<T>& of, bool first) noexcept : of_(of), first_(first) {}
  // Movable until it is started.
  advance_operation(advance_operation&& other) noexcept : advance_operation(other.of_, other.first_) {}
  advance_operation& operator=(advance_operation&&) = delete;
  ~advance_operation() {
    if (child) child.destroy();
  }

  bool ready() const {
    if (!of_.can_advance(first_)) [[unlikely]]
      throw_exception<std::logic_error>(
          "an async_generator was advanced past its end",
          "cordage: an async_generator begins once, is advanced by one strand at a time, and not past its end");
    return false;
  }
  bool start(waiting_node by) noexcept {
    child = std::exchange(of_.frame_, nullptr);
    of_.begun_ = true;
    return run_child(its_promise(), by);
  }

  typename async_generator<T>::iterator get() {
    promise& at = its_promise();
    of_.frame_ = std::coroutine_handle<promise>::from_promise(at);
    child = nullptr;
    if (at.value.state() == outcome_state::exception) {
      at.value.set_state(outcome_state::pending);
      std::rethrow_exception(take_exception(*this));
    }
    return typename async_generator<T>::iterator(of_, at.current());
  }

 private:
  promise& its_promise() const noexcept { return promise_of<promise>(child); }

  async_generator<T>& of_;
  const bool first_;
};

}  // namespace detail

// Move-only, not while it is iterated. Elements are T&, to where the value lies in the coroutine until the next ++; T may be
// a reference, and may be a result: then errors are elements like others. Destroying it destroys what the coroutine
// holds; it must be suspended at an element, at its beginning or its end, as it is whenever nobody waits for it.
//
// begin() and ++ are operations that complete with an iterator when there is an element or the end. They throw what the
// coroutine throws, which then has ended; std::logic_error for begin() a second time and ++ past the end. Both resume on
// the executor of the strand that waits. Stop withdraws what the coroutine waits for, and destroys the coroutine.
template <class T>
class [[nodiscard]] CORDAGE_COROUTINE_TYPE async_generator {
 public:
  using promise_type = detail::async_generator_promise<T>;

  async_generator(async_generator&& other) noexcept
      : frame_(std::exchange(other.frame_, nullptr)), begun_(other.begun_) {}
  async_generator& operator=(async_generator&& other) noexcept {
    async_generator taken(std::move(other));
    std::swap(frame_, taken.frame_);
    std::swap(begun_, taken.begun_);
    return *this;
  }
  ~async_generator() {
    if (frame_) frame_.destroy();
  }

  class iterator {
   public:
    typename promise_type::reference operator*() const noexcept {
      return static_cast<typename promise_type::reference>(*value_);
    }
    auto operator->() const noexcept { return value_; }
    // To be awaited; changes this iterator.
    [[nodiscard]] auto operator++() noexcept { return step(*this); }
    friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return at.value_ == nullptr; }

   private:
    friend async_generator;
    friend detail::advance_operation<T>;
    iterator(async_generator& of, typename promise_type::pointer value) noexcept : of_(&of), value_(value) {}

    class step : public detail::advance_operation<T> {
     public:
      explicit step(iterator& of) noexcept : detail::advance_operation<T>(*of.of_, false), iterator_(of) {}
      iterator& get() {
        iterator_.value_ = nullptr;
        return iterator_ = detail::advance_operation<T>::get();
      }

     private:
      iterator& iterator_;
    };

    async_generator* of_;
    typename promise_type::pointer value_;
  };

  [[nodiscard]] auto begin() noexcept { return detail::advance_operation<T>(*this, true); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend promise_type;
  friend detail::advance_operation<T>;
  explicit async_generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  bool can_advance(bool first) const noexcept { return frame_ && first != begun_ && !frame_.done(); }

  std::coroutine_handle<promise_type> frame_;  // null while it is advanced
  bool begun_ = false;
};

namespace detail {

template <class T>
async_generator<T> async_generator_promise<T>::get_return_object() noexcept {
  return async_generator<T>(std::coroutine_handle<async_generator_promise>::from_promise(*this));
}

// Generator is a reference where an lvalue was given.
template <class Generator, class F>
task<> each_element(Generator generator, F f) {
  using answer = decltype(f(*std::declval<typename std::remove_reference_t<Generator>::iterator>()));
  auto at = co_await generator.begin();
  while (at != generator.end()) {
    if constexpr (std::is_void_v<answer>) {
      f(*at);
    } else if constexpr (std::is_same_v<answer, bool>) {
      if (!f(*at)) co_return;
    } else {
      static_assert(std::is_same_v<answer, task<>> || std::is_same_v<answer, task<bool>>,
                    "for_each: the function returns void, bool (false ends it), task<> or task<bool>");
      if constexpr (std::is_same_v<answer, task<bool>>) {
        const bool go_on = co_await f(*at);
        if (!go_on) co_return;
      } else {
        co_await f(*at);
      }
    }
    auto next = ++at;  // GCC 12 refuses `co_await ++at` in a template
    co_await next;
  }
}

}  // namespace detail

// Calls f with each element, and waits for what f returns where that is a task; ends early where f, or its task, gives
// false. A task, to be awaited in either style. The generator and f are kept in it; an lvalue is referred to.
template <class Generator, class F>
[[nodiscard]] CORDAGE_COROUTINE_WRAPPER task<> for_each(Generator&& generator, F&& f) {
  detail::require_safe_closure<F>();
  return detail::each_element<Generator, F>(std::forward<Generator>(generator), std::forward<F>(f));
}

}  // namespace cordage
