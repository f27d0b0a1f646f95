// Servers in contest: all of them run at once, pinned to one CPU together with this client, and idle but for the one
// whose turn it is. On one CPU a server is never measured while the client disturbs it from a neighbouring core, and
// its CPU clock stands still whenever we read it. The kernel's work for loopback is done in the sender's time, so the
// server pays for the way to the client and the client for the way to the server.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "support/child_process.hpp"
#include "support/counters.hpp"
#include "support/load.hpp"
#include "support/report.hpp"
#include "support/rounds.hpp"
#include "support/server_process.hpp"

namespace bench {

// A server's name in the report, how to start it, and what it is asked once it listens.
struct entrant {
  std::string name;
  server_commands commands;
  std::function<load_generator(const endpoint&)> load;
};

struct contest_settings {
  int rounds = 151;
  std::uint64_t exchanges = 10'000;  // per sample
  int cpu = 0;
  std::uint64_t seed = fresh_seed();
};

// A running server with its load and one element per round of everything that is measured.
class contestant {
 public:
  contestant(const entrant& who, int cpu);

  void sample(std::uint64_t exchanges);

  const std::string& name() const { return name_; }

  // The part of the server's CPU time that was spent in user mode: "2.5%".
  std::string user_share() const;

  std::vector<double> cpu_ns, per_cpu_second, wall_ns, p50_us, p99_us, cycles, instructions;
  hardware_counters counters;

 private:
  std::string name_;
  server_process server_;
  load_generator load_;
  cpu_split at_start_;
};

using samples_of = std::vector<double> contestant::*;

// Starts them all and holds the rounds. A contestant does not move, therefore the deque.
std::deque<contestant> hold_contest(std::span<const entrant> who, const contest_settings& settings);

// A row: one against another. None if the hardware counters could not be read every time.
void compare(report& out, const contestant& ours, const contestant& peer, samples_of samples, bounds limits = {});

// A row of words: everybody's user_share.
void remark_user_shares(report& out, const std::deque<contestant>& all);

// What a server calls, as a traced process that is started for this alone.
struct counted_calls {
  double per_message = 0;
  std::string which;  // see system_call_counts::per_message
};

counted_calls count_calls(const entrant& who, const contest_settings& settings);

// Runs `count`, and where the system forbids to trace, as containers may, says so in a row instead.
void where_tracing_is_permitted(report& out, const std::function<void()>& count);

}  // namespace bench
