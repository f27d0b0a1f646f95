// What a combinator gives of its children: on its executor, when all of them have ended.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <cordage/result.hpp>
#include <cordage/sync/combinator.hpp>

namespace cordage::detail {

template <class X>
using child_for = child<inner_kept<X>, inner_of<X>::checked>;

// Of a checked child the value without its error.
template <class Child>
struct plain_value {
  using type = typename Child::value;
};
template <class Child>
  requires Child::checked
struct plain_value<Child> {
  using type = typename Child::value::value_type;
};

// As an element of a tuple, and of what cannot hold references.
template <class T>
struct as_element {
  using type = T;
  using object = T;
};
template <class T>
struct as_element<T&> {
  using type = T&;
  using object = std::reference_wrapper<T>;
};
template <>
struct as_element<void> {
  using type = std::monostate;
  using object = std::monostate;
};

template <class Child>
using element_of = typename as_element<typename plain_value<Child>::type>::type;
template <class Child>
using object_of = typename as_element<typename plain_value<Child>::type>::object;

// Of a child that has ended with a value. Throws its exception.
template <class Child>
element_of<Child> take_element(Child& of) {
  if constexpr (Child::checked) {
    auto&& taken = of.ended.take();
    if constexpr (std::is_void_v<typename plain_value<Child>::type>) {
      return {};
    } else {
      return *std::move(taken);
    }
  } else if constexpr (std::is_void_v<typename Child::value>) {
    of.ended.take();
    return {};
  } else {
    return of.ended.take();
  }
}

template <class Child>
std::optional<object_of<Child>> take_if_value(Child& of) {
  if (of.how != fate::value) return std::nullopt;
  return std::optional<object_of<Child>>(std::in_place, take_element(of));
}

}  // namespace cordage::detail
