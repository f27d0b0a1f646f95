// Waiting for the same thing in a task and on a fiber, and children of either kind.
#pragma once

#include <string>
#include <utility>

#include <cordage/fiber.hpp>
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

}  // namespace support
