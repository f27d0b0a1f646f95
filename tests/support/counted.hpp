// A value that counts how many of its kind are alive, to show that everything is destroyed exactly once.
#pragma once

#include <utility>

struct counted {
  static inline int alive = 0;

  explicit counted(int v = 0) : value(v) { ++alive; }
  counted(const counted& other) : value(other.value) { ++alive; }
  counted(counted&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
  counted& operator=(const counted&) = default;
  counted& operator=(counted&&) noexcept = default;
  ~counted() { --alive; }

  int value;
};

// Runs a function when it is destroyed.
template <class F>
struct at_exit {
  explicit at_exit(F f) : run(std::move(f)) {}
  at_exit(const at_exit&) = delete;
  ~at_exit() { run(); }
  F run;
};
