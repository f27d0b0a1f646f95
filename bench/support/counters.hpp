// Hardware counters of a process or of the calling thread: cycles and instructions, by perf_event_open(2).
//
// Virtual machines often have no such counters and containers often forbid them. Then read() gives nothing and the
// reports say "not counted here"; no benchmark depends on them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "support/descriptor.hpp"

namespace bench {

enum class counted_modes { nothing, user, user_and_kernel };

struct counter_values {
  double cycles = 0;
  double instructions = 0;

  counter_values operator-(const counter_values& earlier) const {
    return {cycles - earlier.cycles, instructions - earlier.instructions};
  }
};

class hardware_counters {
 public:
  // Counts nothing.
  hardware_counters() = default;

  // Counts from now on: every thread the process has, and the threads and children they start later.
  static hardware_counters of_process(pid_t pid);
  static hardware_counters of_this_thread();

  // Kernel work is included where the system allows it. Two readings compare only if this is the same for both.
  counted_modes modes() const { return modes_; }

  // The sums so far, or nothing if the events could not be opened. Scaled up if the hardware had to share its counters
  // among more events than it has.
  std::optional<counter_values> read() const;

 private:
  bool open_all(const std::vector<pid_t>& threads, counted_modes modes);

  counted_modes modes_ = counted_modes::nothing;
  std::vector<descriptor> cycles_;
  std::vector<descriptor> instructions_;
};

// "cycles, user and kernel" or the like, for the heading of a row.
const char* name_of(counted_modes modes);

}  // namespace bench
