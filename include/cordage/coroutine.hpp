// coroutine<Y>: stackful coroutines that are resumed by hand. They need no runtime.
//
//   void visit(const node* n) {                        // an ordinary recursive function
//     if (n == nullptr) return;
//     cordage::this_coroutine::yield(n->value);        // from any depth
//     visit(n->left);
//     visit(n->right);
//   }
//   cordage::coroutine<int> walk{visit, root};         // runs nothing yet
//   while (auto value = walk.resume()) use(*value);    // or: for (int value : walk)
//
// Data flows from the yielder to the resumer. A coroutine stays on the thread where it was first resumed; a coroutine
// that has not begun, and one that is moved, may go anywhere. await inside one suspends the whole fiber around it.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/stack_options.hpp>
#include <cordage/strands/coroutine_base.hpp>
#include <cordage/strands/start.hpp>

namespace cordage {

// A coroutine was resumed that is not suspended.
class status_error : public std::logic_error {
  using std::logic_error::logic_error;
};

// yield was called where there is no coroutine to suspend.
class not_in_coroutine : public std::logic_error {
 public:
  not_in_coroutine() : std::logic_error("cordage: this_coroutine::yield was called outside a coroutine") {}
};

// yield was given another type than the innermost coroutine yields.
class wrong_yield_type : public std::logic_error {
 public:
  wrong_yield_type()
      : std::logic_error("cordage: this_coroutine::yield was given another type than the innermost coroutine yields; "
                         "name the type: yield<T>(value)") {}
};

namespace detail {

template <class Call>
class coroutine_of final : public coroutine_base {
 public:
  template <class... Args>
  coroutine_of(stack& on_stack, void* frames_top, std::string_view name, const char* yields, Args&&... args)
      : coroutine_base(on_stack, frames_top, name, yields, entry, destroy), call_(std::forward<Args>(args)...) {}

 private:
  static coroutine_of& of(coroutine_base& base) noexcept { return static_cast<coroutine_of&>(base); }

  static void entry(void* base) {
    coroutine_of& self = of(*static_cast<coroutine_base*>(base));
    self.run([&self] { self.call_(); });
  }
  static void destroy(coroutine_base& base) noexcept { destroy_on_stack(&of(base)); }

  Call call_;
};

CORDAGE_RARELY_THROWS inline void refuse_to_yield() {
  coroutine_base* const self = coroutine_base::current();
  if (self == nullptr) throw_exception<not_in_coroutine>("yield was called outside a coroutine");
  if (!self->yield_while_unwound()) throw_exception<wrong_yield_type>("a coroutine yields another type");
}

template <class Y>
CORDAGE_ALWAYS_INLINE void yield_to_resumer(void* value) {
  coroutine_base* const self = coroutine_base::last_resumed();
  if (self == nullptr || !self->may_yield(&type_tag<Y>)) [[unlikely]] return refuse_to_yield();
  self->yield(value);
}

}  // namespace detail

// Y may be void, move-only, and need not have a default constructor. Move-only; a coroutine that was moved from is dead.
template <class Y>
class [[nodiscard]] coroutine {
  static_assert(std::is_void_v<Y> || std::is_object_v<Y>, "a coroutine yields values: wrap references in std::ref");
  static_assert(std::is_same_v<Y, std::remove_cv_t<Y>>, "a coroutine yields values: their type is neither const nor volatile");

 public:
  // The function and its arguments are stored by value, std::ref passes a reference. Throws what copying them throws,
  // std::system_error when the system has no stack to give, std::length_error when they do not fit on it.
  template <class F, class... Args>
    requires(!std::is_same_v<std::remove_cvref_t<F>, coroutine> && !std::is_same_v<std::remove_cvref_t<F>, stack_options> &&
             detail::startable<F, Args...>)
  explicit coroutine(F&& f, Args&&... args)
      : coroutine(stack_options{}, std::forward<F>(f), std::forward<Args>(args)...) {}
  template <class F, class... Args>
    requires detail::startable<F, Args...>
  explicit coroutine(const stack_options& options, F&& f, Args&&... args) {
    static_assert(std::is_void_v<detail::call_result<F, Args...>>,
                  "the body of a coroutine returns nothing: it yields its values");
    control_ = detail::make_on_stack<detail::coroutine_of<detail::stored_call_of<F, Args...>>>(
        options, &detail::type_tag<Y>, std::forward<F>(f), std::forward<Args>(args)...);
  }

  coroutine(coroutine&& other) noexcept : control_(std::exchange(other.control_, nullptr)) {}
  coroutine& operator=(coroutine&& other) noexcept {
    coroutine taken(std::move(other));
    std::swap(control_, taken.control_);
    return *this;
  }
  // One that is suspended at a yield is unwound first, on the thread it belongs to: the yield throws something that is
  // no std::exception, and what code yields meanwhile is dropped. A catch (...) has to throw it on. One that runs must
  // not be destroyed, and without exceptions none that is suspended at a yield: that ends the program with a message.
  CORDAGE_ALWAYS_INLINE ~coroutine() {
    if (control_ != nullptr) control_->end_and_destroy();
  }

  // Goes on with it until it yields or ends: the value, or empty when it has ended. For coroutine<void>: true when it
  // has yielded. What its body throws, and what moving the value throws, is thrown here; after the former it is dead.
  // Throws status_error, "coroutine is dead, expected suspended" or the like, when it is not suspended.
  CORDAGE_ALWAYS_INLINE auto resume() {
    void* const value = step();
    if constexpr (std::is_void_v<Y>) {
      return value != nullptr;
    } else {
      return value == nullptr ? std::optional<Y>() : std::optional<Y>(std::move(*static_cast<Y*>(value)));
    }
  }

  coroutine_status status() const noexcept {
    return control_ == nullptr ? coroutine_status::dead : control_->status();
  }

  // As given in its options, "unnamed" without one; empty after a move.
  std::string_view name() const noexcept {
    return control_ == nullptr ? std::string_view() : control_->name();
  }

  // How much of its stack has been touched, in bytes, rounded up to pages; counts pages that an earlier user of the
  // recycled stack has touched.
  std::size_t stack_high_water() const noexcept {
    return control_ == nullptr ? 0 : detail::touched_bytes(control_->its_stack());
  }

  // An input iterator: begin() and ++ resume. What it refers to is the yielded value where it lies, on the coroutine's
  // stack, until the next ++.
  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = Y;

    explicit iterator(coroutine& over) : over_(&over), value_(over.step()) {}

    Y& operator*() const noexcept { return *static_cast<Y*>(value_); }
    Y* operator->() const noexcept { return static_cast<Y*>(value_); }
    CORDAGE_ALWAYS_INLINE iterator& operator++() {
      value_ = over_->step();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return at.value_ == nullptr; }

   private:
    coroutine* over_;
    void* value_;
  };

  iterator begin()
    requires(!std::is_void_v<Y>)
  {
    return iterator(*this);
  }
  std::default_sentinel_t end() const noexcept
    requires(!std::is_void_v<Y>)
  {
    return {};
  }

 private:
  // Where what it yields lies; null at the end.
  CORDAGE_ALWAYS_INLINE void* step() {
    if (control_ == nullptr) [[unlikely]] throw_moved_from();
    return control_->resume();
  }

  [[noreturn]] CORDAGE_RARELY_THROWS static void throw_moved_from() {
    detail::throw_exception<status_error>("a coroutine was resumed that had been moved from",
                                          "coroutine is dead, expected suspended");
  }

  detail::coroutine_base* control_;
};

namespace this_coroutine {

// Hands a value to whoever has resumed the innermost coroutine, and waits to be resumed again. From any depth of calls.
// Throws not_in_coroutine, wrong_yield_type; and, when the coroutine is destroyed here, something that has to be let
// through. The value is moved out while the yield waits, and dropped if the coroutine is being unwound, or the fiber that it
// runs on.
template <class Y>
  requires(!std::is_void_v<Y>)
CORDAGE_ALWAYS_INLINE void yield(Y value) {
  detail::yield_to_resumer<Y>(std::addressof(value));
}

// The same in a coroutine<void>.
CORDAGE_ALWAYS_INLINE void yield() {
  char nothing;  // only its address counts
  detail::yield_to_resumer<void>(&nothing);
}

// Whether the caller runs in a coroutine, and so may yield.
inline bool running() noexcept { return detail::coroutine_base::current() != nullptr; }

}  // namespace this_coroutine
}  // namespace cordage
