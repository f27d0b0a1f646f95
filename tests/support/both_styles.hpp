// Waiting for the same thing in a task and on a fiber, children of either kind, and a strand that waits beside one of the test
// that acts on it.
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

namespace support {

enum class style { task, fiber };
inline constexpr style each_style[] = {style::task, style::fiber};

inline const char* name_of(style of) { return of == style::task ? "task" : "fiber"; }

// What waiting for make() gives, in a task or on a fiber; make is called there.
template <class Make>
auto await_in(style in, Make&& make) {
  using value = decltype(cordage::detail::value_when_awaited(make()));
  if (in == style::task) {
    auto waits = [&]() -> cordage::task<value> { co_return co_await make(); };
    return cordage::run(waits());
  }
  auto waits = [&]() -> value { return cordage::await(make()); };
  return cordage::run(cordage::fiber{waits});
}

// A strand in a runtime that waits for make().
template <class Make>
auto spawn_in(style in, Make& make) {
  using value = decltype(cordage::detail::value_when_awaited(make()));
  auto in_task = [&]() -> cordage::task<value> { co_return co_await make(); };
  auto in_fiber = [&]() -> value { return cordage::await(make()); };
  return in == style::task ? cordage::spawn(in_task) : cordage::spawn(in_fiber);
}

// Two steps with a turn of the queue in between: log grows by name1, then by name2.
inline cordage::task<char> steps_in_task(std::string& log, char name) {
  log += name, log += "1 ";
  co_await cordage::yield_now();
  log += name, log += "2 ";
  co_return name;
}
inline auto steps_on_fiber(std::string& log, char name) {
  auto steps = [&log, name] {
    log += name, log += "1 ";
    cordage::await(cordage::yield_now());
    log += name, log += "2 ";
    return name;
  };
  return cordage::fiber<char>(steps);
}

// What gives a value after so many turns of the queue; the second one fails instead where that is negative.
inline cordage::task<int> gives(int value, int turns = 0) {
  for (int i = 0; i < turns; ++i) co_await cordage::yield_now();
  co_return value;
}
inline cordage::async<int> gives_or_fails(int value, int turns = 0) {
  for (int i = 0; i < turns; ++i) co_await cordage::yield_now();
  if (value < 0) co_return std::unexpected(cordage::make_error_code(cordage::errc::closed));
  co_return value;
}

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
cordage::result<> wait_and_act(style in, std::string& order, Make make, Act act,
                               const cordage::runtime_options& options = {}) {
  using namespace cordage;
  order.clear();
  runtime rt(options);
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
  auto handle = in == style::fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
  auto actor = [&]() -> task<result<>> {
    co_await turns(3);
    co_await act(handle);
    co_return co_await handle;
  };
  return rt.run(actor());
}

}  // namespace support
