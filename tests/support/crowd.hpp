// Children of a scope that count how many of them run at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>
#include <cordage/task.hpp>

#include "counted.hpp"

constexpr cordage::scope_options at_most(std::size_t n) { return {.max_concurrency = n}; }

// Counts the children that run, and notes in which order they began.
struct crowd {
  int inside = 0;
  int most = 0;
  int ended = 0;
  std::string began;

  void enter(int who) {
    most = std::max(most, ++inside);
    began += std::to_string(who);
  }
  void leave() {
    --inside;
    ++ended;
  }
};

// Children of both styles, which take some turns.
inline cordage::task<> task_child(crowd& in, int who) {
  in.enter(who);
  at_exit leaving{[&] { in.leave(); }};
  for (int i = 0; i < 4; ++i) co_await cordage::yield_now();
}
inline void fiber_child(crowd& in, int who) {
  in.enter(who);
  at_exit leaving{[&] { in.leave(); }};
  for (int i = 0; i < 5; ++i) cordage::await(cordage::yield_now());
}
