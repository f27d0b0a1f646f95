// What may be handed to spawn, with_scope, serve and their like, and how it is kept.
//
// GCC 12 destroys a temporary lambda twice when it has captures with destructors and stands inside a co_await
// expression, and says nothing. There such a temporary is refused at compile time: name it first and pass the name,
// or, where the call is not part of a co_await expression, say so with outside_await(lambda).
#pragma once

#include <type_traits>
#include <utility>

#include <cordage/base/config.hpp>

namespace cordage {

// A callable whose call is not part of a co_await expression (see above). Only GCC 12 needs it.
template <class F>
struct outside_await_closure {
  explicit outside_await_closure(F&& f) : function(std::move(f)) {}
  template <class... Args>
  decltype(auto) operator()(Args&&... args) {
    return function(std::forward<Args>(args)...);
  }
  F function;
};

template <class F>
[[nodiscard]] auto outside_await(F f) {
  return outside_await_closure<F>(std::move(f));
}

namespace detail {

template <class T>
inline constexpr bool is_outside_await = false;
template <class F>
inline constexpr bool is_outside_await<outside_await_closure<F>> = true;

// F as deduced by a forwarding reference: a reference for a named callable, a plain type for a temporary.
template <class F>
inline constexpr bool safe_inside_await = !config::gcc12 || std::is_reference_v<F> ||
                                          std::is_trivially_destructible_v<F> || is_outside_await<F>;

template <class F>
consteval void require_safe_closure() {
  static_assert(safe_inside_await<F>,
                "GCC 12 destroys this temporary twice inside co_await: name the callable and pass the name, "
                "or wrap it in cordage::outside_await(...) where the call is not part of a co_await expression");
}

}  // namespace detail
}  // namespace cordage
