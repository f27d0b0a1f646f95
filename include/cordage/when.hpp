// when_all, when_any, expect: to wait for several things at once.
//
//   auto [user, items] = co_await !when_all(load_user(id), load_items(id));
//   result<page> page = co_await expect<0>(when_any(load(url), timeout(1s)));
//
// An argument is whatever can be awaited: a task, an async, a fiber, a future, any operation, each also behind a `!`;
// temporaries are kept, lvalues are referred to. Or there is one argument, a range of such things, all of one type.
//
// The arguments become children of the strand that waits, each a strand of its own on the same executor. They begin in
// order, when the whole is awaited; a task runs at once until its first wait, a fiber begins in its next turn. What is
// ready at once needs no turn. The strand goes on when all of them have ended, however they did; the frames of those that
// were stopped are gone then, those of the others go with the awaiting expression. Stopping the strand stops all
// children; if the answer is not known by then the whole completes as stopped.
//
// An exception of any child stops the others and is thrown; the first, if there are several. A child behind a `!` fails
// with its error, too; then the whole gives a result, with the error. Behind a `!` of the whole every child whose value
// is a result counts as such.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <cordage/checked.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/deferred.hpp>
#include <cordage/strands/start.hpp>
#include <cordage/sync/child_value.hpp>
#include <cordage/sync/children.hpp>
#include <cordage/sync/combinator.hpp>
#include <cordage/sync/race.hpp>

namespace cordage {

namespace detail {

template <class Children>
class when_all_operation final : public combinator {
  using values = typename Children::all_values;

 public:
  static constexpr const char* name = "when_all";

  template <class... Args>
  explicit when_all_operation(Args&&... args) : children_(std::forward<Args>(args)...) {}

  bool stopped() const noexcept { return failed_ == nullptr && completed_ != children_.size(); }

  // The values, or a result of them.
  auto get() -> std::conditional_t<Children::any_checked, result<values>, values> {
    if (failed_ != nullptr) [[unlikely]] {
      const error failure = children_.failure_of(*failed_);
      if constexpr (Children::any_checked) return fail(failure);
    }
    return children_.take_all();
  }

 private:
  void begin_children() override {
    children_.each([this](auto& child) { this->begin_child(child); });
  }
  void judge(child_strand& child) noexcept override {
    if (child.how == fate::value) {
      ++completed_;
      return;
    }
    // An exception weighs more than an error; among equals the first counts.
    const bool weighs_more = failed_ == nullptr || (child.how == fate::exception && failed_->how != fate::exception);
    if (child.how != fate::stopped && weighs_more) failed_ = &child;
    stop_children();  // also where a stop of with_stop ended one child: nobody will get what the others give
  }

  Children children_;
  std::size_t completed_ = 0;
  child_strand* failed_ = nullptr;
};

// What keeps the alternatives that can be kept from it from completing when another one has: see select.
class decided_by_race {
 public:
  race* racing() noexcept { return &race_; }
  void decided() noexcept { race::claim(&race_); }

 private:
  race race_;
};
struct decided_by_end {
  race* racing() noexcept { return nullptr; }
  void decided() noexcept {}
};

// What when_any, select and expect have in common.
template <class Children, class Decision = decided_by_end>
class first_of : public combinator {
 public:
  template <class... Args>
  explicit first_of(Args&&... args) : children_(std::forward<Args>(args)...) {}

  bool stopped() const noexcept { return winner_ == nullptr && children_.size() != 0; }

 protected:
  ~first_of() = default;

  void throw_first_exception() {
    if (thrower_ != nullptr) [[unlikely]] children_.failure_of(*thrower_);
  }

  Children children_;
  child_strand* winner_ = nullptr;

 private:
  void begin_children() override {
    this->let_race(decision_.racing());
    children_.each([this](auto& child) { this->begin_child(child); });
  }
  void judge(child_strand& child) noexcept override {
    if (child.how == fate::stopped) return;
    if (child.how == fate::exception && thrower_ == nullptr) thrower_ = &child;
    if (winner_ != nullptr) return;
    winner_ = &child;
    decision_.decided();
    stop_children();
  }

  [[no_unique_address]] Decision decision_;
  child_strand* thrower_ = nullptr;
};

template <class Children, class Decision>
class when_any_operation final : public first_of<Children, Decision> {
  using values = typename Children::any_values;

 public:
  static constexpr const char* name = std::is_same_v<Decision, decided_by_race> ? "select" : "when_any";

  using first_of<Children, Decision>::first_of;

  auto get() -> std::conditional_t<Children::any_checked, result<values>, values> {
    this->throw_first_exception();
    if constexpr (Children::any_checked) {
      if (this->winner_ != nullptr && this->winner_->how == fate::error)
        return fail(this->children_.failure_of(*this->winner_));
    }
    return this->children_.take_any();
  }
};

// The value of one alternative.
template <std::size_t N, class Children>
class expect_operation final : public first_of<Children> {
  using chosen = std::remove_reference_t<decltype(std::declval<Children&>().template get<N>())>;
  using given = typename chosen::value;

 public:
  static constexpr const char* name = "when_any";

  using first_of<Children>::first_of;

  as_result_of<given> get() {
    this->throw_first_exception();
    chosen& wanted = this->children_.template get<N>();
    const bool has_value = wanted.ended.state() == outcome_state::value && !holds_error(wanted.ended);
    if (has_value) {
      if constexpr (std::is_void_v<given>) {
        return {};
      } else {
        return wanted.ended.take();
      }
    }
    const error failure = this->children_.error_of(*this->winner_);
    return failed_as<as_result_of<given>>(failure != error{} ? failure : error(errc::lost_race));
  }
};

// Which of them.
struct all_of {
  template <class Children>
  using operation = when_all_operation<Children>;
};
struct any_of {
  template <class Children>
  using operation = when_any_operation<Children, decided_by_end>;
};
struct selected {
  template <class Children>
  using operation = when_any_operation<Children, decided_by_race>;
};
template <std::size_t N>
struct one_of {
  template <class Children>
  using operation = expect_operation<N, Children>;
};

template <class X>
inline constexpr bool fails_with_error = !is_checked<std::remove_cvref_t<X>> && gives_result<X>;
template <class X>
using as_checked = std::conditional_t<fails_with_error<X>, checked_awaitable<X>, X>;

// What when_all, when_any and expect give for a pack: the arguments, until they are awaited.
template <class Kind, class... Xs>
class combination : public deferred<typename Kind::template operation<children_pack<child_for<Xs>...>>, Xs...> {
  using base = deferred<typename Kind::template operation<children_pack<child_for<Xs>...>>, Xs...>;

 public:
  using base::base;

  // For `!` of the whole.
  auto when_checked() &&
    requires(std::is_same_v<Kind, all_of> && (fails_with_error<Xs> || ...))
  {
    return std::apply(
        [](auto&... kept) {
          return combination<all_of, as_checked<Xs>...>(std::in_place, as_checked<Xs>(static_cast<Xs&&>(kept))...);
        },
        this->args_);
  }
  auto when_checked() &&
    requires std::is_same_v<Kind, any_of>
  {
    return std::move(*this).template as<one_of<0>>();
  }

  template <class Other>
  auto as() && {
    return std::apply(
        [](auto&... kept) { return combination<Other, Xs...>(std::in_place, static_cast<Xs&&>(kept)...); }, this->args_);
  }
};

template <bool Checked, class Range>
using children_of_range = children_range<child<inner_kept<range_element<Range>>, Checked || inner_of<range_element<Range>>::checked>>;

// The same for a range.
template <class Kind, bool Checked, class Range>
class combination_of_range : public deferred<typename Kind::template operation<children_of_range<Checked, Range>>, Range> {
  using base = deferred<typename Kind::template operation<children_of_range<Checked, Range>>, Range>;

 public:
  using base::base;

  auto when_checked() &&
    requires(!Checked && std::is_same_v<Kind, all_of> && fails_with_error<range_element<Range>>)
  {
    return combination_of_range<Kind, true, Range>(std::in_place, static_cast<Range&&>(std::get<0>(this->args_)));
  }
};

template <class R>
concept awaitable_range =
    !awaitable_or_checked<R> && std::ranges::input_range<R> && awaitable_or_checked<range_element<R>>;

}  // namespace detail

// Completes with a tuple of what each argument gives, in their order; std::monostate for nothing. An error that nobody
// said `!` to is a value like others. Any thread may make one; awaited once.
template <class... Xs>
  requires(detail::awaitable_or_checked<Xs> && ...)
[[nodiscard]] auto when_all(Xs&&... xs) {
  return detail::combination<detail::all_of, Xs...>(std::in_place, std::forward<Xs>(xs)...);
}

// The same for a range: a vector of what each element gives. Elements of a temporary are kept; those of an lvalue are
// awaited where they are, or as tasks taken from there. Awaiting it throws std::bad_alloc.
template <class Range>
  requires detail::awaitable_range<Range>
[[nodiscard]] auto when_all(Range&& range) {
  return detail::combination_of_range<detail::all_of, false, Range>(std::in_place, std::forward<Range>(range));
}

// Completes with a tuple of optionals. The first child to complete, with a value or an error, stops the others; all that
// completed with a value until the others had ended is kept. If a child is ready at once those behind it never begin.
template <class... Xs>
  requires(sizeof...(Xs) > 0 && (detail::awaitable_or_checked<Xs> && ...))
[[nodiscard]] auto when_any(Xs&&... xs) {
  return detail::combination<detail::any_of, Xs...>(std::in_place, std::forward<Xs>(xs)...);
}

// The same for a range: a vector of optionals; an empty one, at once, for an empty range.
template <class Range>
  requires detail::awaitable_range<Range>
[[nodiscard]] auto when_any(Range&& range) {
  return detail::combination_of_range<detail::any_of, false, Range>(std::in_place, std::forward<Range>(range));
}

// The same as when_any, but of alternatives that would take something away only one does: of receive and send of a channel,
// lock of a mutex, acquire of a semaphore, wait for an event. What loses has received, sent or locked nothing. An
// alternative that is something else, a read or a timer, may complete in the same moment as another one; both are kept then.
// Where one of those throws, or is behind a `!` and fails, what another has taken in the same moment goes with the rest.
//
//   auto [item, done, late] = co_await select(items.receive(), stop.wait(), sleep_for(1s));
template <class... Xs>
  requires(sizeof...(Xs) > 0 && (detail::awaitable_or_checked<Xs> && ...))
[[nodiscard]] auto select(Xs&&... xs) {
  return detail::combination<detail::selected, Xs...>(std::in_place, std::forward<Xs>(xs)...);
}

// The same for a range, of receives of many channels, say: a vector of optionals.
template <class Range>
  requires detail::awaitable_range<Range>
[[nodiscard]] auto select(Range&& range) {
  return detail::combination_of_range<detail::selected, false, Range>(std::in_place, std::forward<Range>(range));
}

// The value of alternative N, as a result: what it gave if that is no error, whatever became of the others; otherwise the
// error of the first to complete, or errc::lost_race if that gave none. `!when_any(…)` is `!expect<0>(when_any(…))`.
template <std::size_t N, class... Xs>
  requires(N < sizeof...(Xs))
[[nodiscard]] auto expect(detail::combination<detail::any_of, Xs...>&& of) {
  return std::move(of).template as<detail::one_of<N>>();
}

}  // namespace cordage
