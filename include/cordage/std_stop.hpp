// Between stops of this library and those of the standard library's <stop_token>. Not part of cordage.hpp, since not every
// standard library has that header.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <cordage/base/closure.hpp>
#include <cordage/stop.hpp>
#include <cordage/task.hpp>
#include <cordage/when.hpp>

namespace cordage {

// While it lives, a stop of the standard token is one of the source. Any thread.
class std_stop_link {
 public:
  std_stop_link(std::stop_token from, const stop_source& to) : callback_(std::move(from), request{to}) {}

 private:
  struct request {
    stop_source to;
    void operator()() const noexcept { to.request_stop(); }
  };
  std::stop_callback<request> callback_;
};

namespace detail {

template <class F>
using with_std_stop_value = decltype(value_when_awaited(std::declval<F&>()(std::stop_token())));

}  // namespace detail

// Awaits what f gives, which is called with a std::stop_token that tells of stops of the strand, also those of limits and
// combinators around this. Its callbacks run on the strand's executor, with no lock of this library held, before what f gave
// is stopped itself. f is kept.
template <class F>
auto with_std_stop(F f) -> task<detail::with_std_stop_value<F>> {
  std::stop_source source;
  struct requests {
    std::stop_source& of;
    ~requests() { of.request_stop(); }
  };
  auto watch = [&source]() -> task<> {
    const requests when_it_is_taken_down{source};
    co_await stopped();
  };
  auto both = when_any(watch(), f(source.get_token()));
  auto ended = co_await both;
  if constexpr (!std::is_void_v<detail::with_std_stop_value<F>>) co_return std::move(*std::get<1>(ended));
}

}  // namespace cordage
