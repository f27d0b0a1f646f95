// The children of a combinator, where they are kept and what is taken of them: a pack of different ones, or a range of
// equal ones. Part of the combinator's operation, which owns them, and used on its executor.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <cordage/result.hpp>
#include <cordage/strands/frame_memory.hpp>
#include <cordage/sync/child_value.hpp>

namespace cordage::detail {

// The error of one child that has ended with one, also where nobody said `!`; none for any other.
template <class Child>
void find_error(Child& child, const child_strand& wanted, error& into) {
  if (&child != &wanted) return;
  if constexpr (gives_error<typename Child::value>) {
    if (holds_error(child.ended)) into = child.ended.value().error();
  }
}

// Throws what a child has ended with, if that is an exception.
template <class Child>
void throw_if(Child& child, const child_strand& wanted) {
  if (&child == &wanted && child.how == fate::exception) std::rethrow_exception(child.ended.exception());
}

template <class... Children>
class children_pack {
 public:
  using all_values = std::tuple<element_of<Children>...>;
  using any_values = std::tuple<std::optional<object_of<Children>>...>;
  static constexpr bool any_checked = (Children::checked || ...);

  template <class... Xs>
    requires(sizeof...(Xs) == sizeof...(Children))
  explicit children_pack(Xs&&... xs) : children_(std::forward<Xs>(xs)...) {}

  static constexpr std::size_t size() noexcept { return sizeof...(Children); }

  template <class F>
  void each(F&& f) {
    std::apply([&](auto&... child) { (f(child), ...); }, children_);
  }

  template <std::size_t N>
  auto& get() noexcept {
    return std::get<N>(children_);
  }

  // Of a child that has failed: throws its exception, or gives its error.
  error failure_of(const child_strand& failed) {
    each([&](auto& child) { throw_if(child, failed); });
    return error_of(failed);
  }
  error error_of(const child_strand& wanted) {
    error found{};
    each([&](auto& child) { find_error(child, wanted, found); });
    return found;
  }

  all_values take_all() {
    return std::apply([](auto&... child) { return all_values{take_element(child)...}; }, children_);
  }
  any_values take_any() {
    return std::apply([](auto&... child) { return any_values{take_if_value(child)...}; }, children_);
  }

 private:
  std::tuple<Children...> children_;
};

// A temporary that only refers to its elements, a span for one, gives them up no more than an lvalue does.
template <class Range>
using range_element = std::conditional_t<std::ranges::borrowed_range<Range>, std::ranges::range_reference_t<Range>,
                                         std::ranges::range_rvalue_reference_t<Range>>;

// Each child in a block of its own, recycled like a frame: children stay where they are, and a range may give them one by
// one.
template <class Child>
class children_range {
 public:
  using all_values = std::vector<object_of<Child>>;
  using any_values = std::vector<std::optional<object_of<Child>>>;
  static constexpr bool any_checked = Child::checked;

  template <class Range>
    requires std::ranges::input_range<Range>
  explicit children_range(Range&& range) : children_range() {
    for (auto&& element : range) add(static_cast<range_element<Range>&&>(element));
  }
  children_range(const children_range&) = delete;
  children_range& operator=(const children_range&) = delete;
  ~children_range() {
    while (first_ != nullptr) delete std::exchange(first_, first_->following);
  }

  std::size_t size() const noexcept { return size_; }

  template <class F>
  void each(F&& f) {
    for (block* at = first_; at != nullptr; at = at->following) f(static_cast<Child&>(*at));
  }

  error failure_of(const child_strand& failed) {
    auto& child = static_cast<Child&>(const_cast<child_strand&>(failed));
    throw_if(child, failed);
    return error_of(failed);
  }
  error error_of(const child_strand& wanted) {
    error found{};
    find_error(static_cast<Child&>(const_cast<child_strand&>(wanted)), wanted, found);
    return found;
  }

  all_values take_all() {
    all_values taken;
    taken.reserve(size_);
    each([&](Child& child) { taken.emplace_back(take_element(child)); });
    return taken;
  }
  any_values take_any() {
    any_values taken;
    taken.reserve(size_);
    each([&](Child& child) { taken.emplace_back(take_if_value(child)); });
    return taken;
  }

 private:
  struct block : Child, recycled_frame {
    using Child::Child;
    block* following = nullptr;
  };

  // Complete before the first child is added: what the range throws leaves the rest to the destructor.
  children_range() noexcept = default;

  template <class X>
  void add(X&& x) {
    *last_ = new block(std::forward<X>(x));
    last_ = &(*last_)->following;
    ++size_;
  }

  block* first_ = nullptr;
  block** last_ = &first_;  // while they are added
  std::size_t size_ = 0;
};

}  // namespace cordage::detail
