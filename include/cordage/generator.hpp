// generator<T>: a sequence that a stackless coroutine computes while it is iterated.
//
//   generator<int> preorder(const node* n) {
//     if (n == nullptr) co_return;
//     co_yield n->value;
//     co_yield elements_of(preorder(n->left));         // each element costs the same at any depth
//     co_yield elements_of(preorder(n->right));
//   }
//   for (int value : preorder(root)) …
//
// Lazy: nothing runs before begin(). Nothing in it can wait: see async_generator for sequences that do. Needs no runtime.
// One thread at a time; it may be iterated on another thread than it was made on.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/strands/frame_memory.hpp>

namespace cordage {

// All elements of a range, to be yielded one after another: of another generator without a detour, of anything else by
// iterating it. An lvalue has to stay where it is meanwhile.
template <class Range>
struct elements_of {
  explicit elements_of(Range&& r) : range(std::forward<Range>(r)) {}
  Range range;
};
template <class Range>
elements_of(Range&&) -> elements_of<Range>;

template <class T>
class generator;

namespace detail {

template <class T>
class generator_promise;

// The frames of generators that yield each other's elements form a stack: the outermost is the one that is iterated, the
// innermost the one that runs. This is the place of one of them in the frame of the next outer one, which owns it. So the
// stack is taken down one frame after another, however high it is.
template <class T>
struct generator_link {
  std::coroutine_handle<generator_promise<T>> child;
  generator_promise<T>* parent = nullptr;
  std::exception_ptr exception;  // what the child ended with
};

template <class T>
class generator_promise : public recycled_frame {
 public:
  using handle = std::coroutine_handle<generator_promise>;
  using reference = std::conditional_t<std::is_reference_v<T>, T, T&>;
  using pointer = std::add_pointer_t<reference>;

  generator<T> get_return_object() noexcept;
  std::suspend_always initial_suspend() const noexcept { return {}; }

  // At the end the next outer one goes on.
  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) const noexcept {
      generator_promise& ended = promise_of(self);
      if (ended.link_ == nullptr) {
        ended.value_ = nullptr;
        return std::noop_coroutine();
      }
      return ended.outermost_->innermost_ = handle::from_promise(*ended.link_->parent);
    }
    void await_resume() const noexcept {}
  };
  final_awaiter final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}

  // The outermost one's exception goes to whoever iterates.
  void unhandled_exception() {
    if (link_ == nullptr) {
      value_ = nullptr;
      rethrow_current();
    }
    link_->exception = std::current_exception();
  }

  // The value stays in the frame until the iterator moves on, and is referred to there.
  std::suspend_always yield_value(reference value) noexcept {
    value_ = std::addressof(value);
    return {};
  }
  std::suspend_always yield_value(std::remove_reference_t<T>&& value) noexcept
    requires(!std::is_lvalue_reference_v<T>)
  {
    value_ = std::addressof(value);
    return {};
  }

  // Of what must not be changed a copy is yielded.
  struct copy_awaiter : std::suspend_always {
    std::remove_cvref_t<T> copy;

    explicit copy_awaiter(const std::remove_cvref_t<T>& of) : copy(of) {}
    void await_suspend(std::coroutine_handle<> self) noexcept { promise_of(self).value_ = std::addressof(copy); }
  };
  copy_awaiter yield_value(const std::remove_reference_t<T>& value)
    requires(!std::is_reference_v<T> && !std::is_const_v<T> && std::copy_constructible<T>)
  {
    return copy_awaiter(value);
  }

  class elements_awaiter : generator_link<T> {
   public:
    explicit elements_awaiter(handle frame) noexcept { this->child = frame; }
    elements_awaiter(const elements_awaiter&) = delete;
    elements_awaiter& operator=(const elements_awaiter&) = delete;
    ~elements_awaiter() {
      if (this->child) this->child.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) noexcept {
      generator_promise& inner = this->child.promise();
      this->parent = &promise_of(self);
      inner.link_ = this;
      inner.outermost_ = this->parent->outermost_;
      return inner.outermost_->innermost_ = this->child;
    }
    void await_resume() {
      if (this->exception != nullptr) [[unlikely]] std::rethrow_exception(std::move(this->exception));
    }
  };
  elements_awaiter yield_value(elements_of<generator<T>>&& inner);
  elements_awaiter yield_value(elements_of<generator<T>&>&& inner);
  template <class Range>
  elements_awaiter yield_value(elements_of<Range>&& all);

  template <class X>
  std::suspend_never await_transform(X&&) {
    static_assert(!std::is_same_v<X, X>, "a generator cannot wait: it would be an async_generator");
    return {};
  }

  // For the outermost one: goes on to the next element; null at the end.
  pointer advance() {
    innermost_.resume();
    return innermost_.promise().value_;
  }
  pointer first() {
    expects(innermost_ == nullptr, "begin() of a generator was called a second time");
    innermost_ = handle::from_promise(*this);
    return advance();
  }

  // Destroys the outermost one with all that are inside of it. Iterative: a million frames need no stack.
  void destroy_all() noexcept {
    for (handle at = innermost_; at != nullptr && &at.promise() != this;) {
      generator_link<T>& link = *at.promise().link_;
      at = handle::from_promise(*link.parent);
      std::exchange(link.child, nullptr).destroy();
    }
    handle::from_promise(*this).destroy();
  }

 private:
  // The frame's promise may derive from this one, see with_allocator.
  static generator_promise& promise_of(std::coroutine_handle<> frame) noexcept {
    return handle::from_address(frame.address()).promise();
  }

  generator_promise* outermost_ = this;
  pointer value_ = nullptr;           // of the innermost one: what it has yielded; null at the outermost one's end
  handle innermost_ = nullptr;        // of the outermost one: null before begin()
  generator_link<T>* link_ = nullptr;  // of inner ones
};

}  // namespace detail

// A view and an input range; move-only. T may be a reference: then elements are what co_yield refers to. Otherwise they are
// T&, to where the value lies in the coroutine until the next ++; move from it if you like. The generator must outlive
// its iterators. Destroying it destroys what the coroutine holds, wherever it is suspended.
//
// begin() runs up to the first element, once; both it and ++ throw what the coroutine throws, which then has ended. ++ past
// the end is a broken promise. Calling a generator throws std::bad_alloc where there is no memory for its frame.
template <class T>
class [[nodiscard]] CORDAGE_COROUTINE_TYPE generator : public std::ranges::view_base {
 public:
  using promise_type = detail::generator_promise<T>;

  generator(generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  generator& operator=(generator&& other) noexcept {
    generator taken(std::move(other));
    std::swap(frame_, taken.frame_);
    return *this;
  }
  ~generator() {
    if (frame_) frame_.promise().destroy_all();
  }

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = std::remove_cvref_t<T>;
    using reference = typename promise_type::reference;

    reference operator*() const noexcept { return static_cast<reference>(*value_); }
    auto operator->() const noexcept { return value_; }
    iterator& operator++() {
      detail::expects(value_ != nullptr, "++ of an iterator past the end of its generator");
      value_ = promise_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return at.value_ == nullptr; }

   private:
    friend class generator;
    explicit iterator(promise_type& of) : promise_(&of), value_(of.first()) {}

    promise_type* promise_;
    typename promise_type::pointer value_;
  };

  iterator begin() {
    detail::expects(frame_ != nullptr, "begin() of a generator that was moved from");
    return iterator(frame_.promise());
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend promise_type;
  explicit generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
generator<T> generator_promise<T>::get_return_object() noexcept {
  return generator<T>(handle::from_promise(*this));
}

template <class T>
auto generator_promise<T>::yield_value(elements_of<generator<T>>&& inner) -> elements_awaiter {
  expects(inner.range.frame_ != nullptr, "elements_of a generator that was moved from");
  return elements_awaiter(std::exchange(inner.range.frame_, nullptr));
}

template <class T>
auto generator_promise<T>::yield_value(elements_of<generator<T>&>&& inner) -> elements_awaiter {
  return yield_value(elements_of<generator<T>>(std::move(inner.range)));
}

template <class T>
template <class Range>
auto generator_promise<T>::yield_value(elements_of<Range>&& all) -> elements_awaiter {
  constexpr auto one_by_one = [](Range range) -> generator<T> {
    for (auto&& element : range) co_yield static_cast<decltype(element)>(element);
  };
  return yield_value(elements_of<generator<T>>(one_by_one(static_cast<Range&&>(all.range))));
}

}  // namespace detail
}  // namespace cordage

template <class T, class Allocator, class... Args>
struct std::coroutine_traits<cordage::generator<T>, std::allocator_arg_t, Allocator, Args...>
    : cordage::detail::traits_with_allocator<typename cordage::generator<T>::promise_type, Allocator> {};
template <class T, class This, class Allocator, class... Args>
struct std::coroutine_traits<cordage::generator<T>, This, std::allocator_arg_t, Allocator, Args...>
    : cordage::detail::traits_with_allocator<typename cordage::generator<T>::promise_type, Allocator> {};
