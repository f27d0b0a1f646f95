// A strand that waits, as a task or as a fiber, beside a task of the test that acts on it.
#pragma once

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <cordage/fiber.hpp>
#include <cordage/result.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

inline constexpr bool both_styles[] = {false, true};  // as_fiber

inline cordage::task<> turns(int count) {
  for (int i = 0; i < count; ++i) co_await cordage::yield_now();
}

inline void note(std::string& order, int value) { order += std::to_string(value); }
inline void note(std::string& order, std::monostate) { order += "v"; }
template <class T>
void note(std::string& order, const cordage::result<T>& value) {
  if (!value) {
    order += "[" + value.error().message() + "]";
  } else if constexpr (std::is_void_v<T>) {
    order += "v";
  } else {
    note(order, *value);
  }
}
template <class... T>
void note(std::string& order, const std::tuple<T...>& values) {
  std::apply([&](auto&... each) { (note(order, each), ...); }, values);
}

// Awaits make(), notes what that gives, then "+", waits once more, then "!". Beside that runs act(handle), a task. Gives how
// the strand ended.
template <class Make, class Act>
cordage::result<> wait_and_act(bool as_fiber, std::string& order, Make make, Act act) {
  using namespace cordage;
  order.clear();
  runtime rt;
  auto in_task = [&]() -> task<> {
    if constexpr (std::is_void_v<detail::awaited_value<decltype(make())>>) {
      co_await make();
    } else {
      auto got = co_await make();
      note(order, got);
    }
    order += "+";
    co_await yield_now();
    order += "!";
  };
  auto in_fiber = [&] {
    if constexpr (std::is_void_v<detail::awaited_value<decltype(make())>>) {
      await(make());
    } else {
      note(order, await(make()));
    }
    order += "+";
    await(yield_now());
    order += "!";
  };
  auto handle = as_fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
  auto actor = [&]() -> task<result<>> {
    co_await turns(3);
    co_await act(handle);
    co_return co_await handle;
  };
  return rt.run(actor());
}
