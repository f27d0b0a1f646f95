// What a dump consists of: collected in dump.cpp, written in dump_text.cpp and dump_json.cpp.
#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <cordage/runtime/worker.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

enum class dumped_state { running, ready, waiting, running_or_ready, ended };
inline constexpr std::string_view name_of_state[] = {"running", "ready", "waiting", "running or ready", "ended"};
inline constexpr std::size_t dumped_states = std::size(name_of_state);

enum class code_kind { coroutine, fiber, stackful_coroutine };

struct dumped_code {
  code_kind kind;
  std::string name;      // empty without one
  std::string function;  // empty where it is not known
  std::size_t times = 1;
  bool after_gap = false;  // what was left out of a very long chain stands before it, or before one that precedes it
};

struct dumped_strand {
  strand_kind kind = strand_kind::task;
  dumped_state state = dumped_state::waiting;
  bool stopping = false;
  bool begun = true;
  std::string name = {};        // empty without one
  std::string waits_for = {};   // empty without
  std::string began_with = {};  // empty where it is not known or not needed
  // The innermost first. Where there are more than `first_codes` and `last_codes`, some were left out in between.
  std::vector<dumped_code> awaits = {};
  std::size_t left_out = 0;
  std::size_t held_by = 0;  // the number of the strand that has what it waits for; 0 where that is not known
  std::size_t parent = 0;  // its number, from 1; 0 without one
  std::size_t depth = 0;
};
inline constexpr std::size_t first_codes = 48;
inline constexpr std::size_t last_codes = 16;

struct dumped_runtime {
  std::string_view backend;
  std::size_t timers;
  std::size_t arriving;
  std::size_t count[dumped_states] = {};
  std::vector<dumped_strand> strands = {};  // each after its parent, and all below it together
};

// Who asks: a strand, or the loop between turns, which knows what is left of those that have their turn now: linked by
// `next` up to null.
struct dump_caller {
  bool is_a_strand;
  const resumable* rest_of_round;
};

// On the worker's thread, or while nobody runs it.
dumped_runtime look_at(worker& of, const dump_caller& by, std::size_t arriving);

std::string as_text(const dumped_runtime& seen);
std::string as_json(const dumped_runtime& seen);

}  // namespace cordage::detail
