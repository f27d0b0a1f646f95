#include "support/counters.hpp"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace bench {
namespace {

// Not in a group, because inherited events could not be read as a group before Linux 6.13.
descriptor open_event(pid_t thread, std::uint64_t event, counted_modes modes) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.config = event;
  attributes.inherit = 1;
  attributes.exclude_hv = 1;
  attributes.exclude_kernel = modes == counted_modes::user;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return descriptor(
      static_cast<int>(::syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC)));
}

// What read(2) gives for the format above.
struct reading {
  std::uint64_t value;
  std::uint64_t time_enabled;
  std::uint64_t time_running;
};

std::optional<double> sum(const std::vector<descriptor>& events) {
  double total = 0;
  for (const descriptor& event : events) {
    reading now;
    if (::read(event.get(), &now, sizeof now) != sizeof now) return {};
    if (now.time_enabled > 0 && now.time_running == 0) return {};  // it never got a hardware counter
    if (now.time_running == 0) continue;                           // the thread has not run since
    const double scale = static_cast<double>(now.time_enabled) / static_cast<double>(now.time_running);
    total += static_cast<double>(now.value) * scale;
  }
  return total;
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  std::error_code ended;  // a process that has just ended has no threads, which is then seen by the caller
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", ended))
    threads.push_back(static_cast<pid_t>(std::stol(entry.path().filename().string())));
  return threads;
}

}  // namespace

bool hardware_counters::open_all(const std::vector<pid_t>& threads, counted_modes modes) {
  cycles_.clear();
  instructions_.clear();
  for (const pid_t thread : threads) {
    cycles_.push_back(open_event(thread, PERF_COUNT_HW_CPU_CYCLES, modes));
    instructions_.push_back(open_event(thread, PERF_COUNT_HW_INSTRUCTIONS, modes));
    if (!cycles_.back() || !instructions_.back()) return false;
  }
  modes_ = modes;
  return !threads.empty();
}

hardware_counters hardware_counters::of_process(pid_t pid) {
  hardware_counters counters;
  const std::vector<pid_t> threads = pid == 0 ? std::vector<pid_t>{0} : threads_of(pid);
  if (!counters.open_all(threads, counted_modes::user_and_kernel) && !counters.open_all(threads, counted_modes::user))
    counters.modes_ = counted_modes::nothing;
  return counters;
}

hardware_counters hardware_counters::of_this_thread() { return of_process(0); }

std::optional<counter_values> hardware_counters::read() const {
  if (modes_ == counted_modes::nothing) return {};
  const auto cycles = sum(cycles_), instructions = sum(instructions_);
  if (!cycles || !instructions) return {};
  return counter_values{*cycles, *instructions};
}

const char* name_of(counted_modes modes) {
  switch (modes) {
    case counted_modes::nothing: return "not counted here";
    case counted_modes::user: return "user mode only";
    case counted_modes::user_and_kernel: return "user mode and kernel";
  }
  return "";
}

}  // namespace bench
