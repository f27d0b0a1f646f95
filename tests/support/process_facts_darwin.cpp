#include <libproc.h>
#include <mach/mach_time.h>
#include <sys/proc.h>
#include <sys/resource.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "process_facts.hpp"

// Source: libproc.h and sys/proc_info.h of macOS.
namespace support {
namespace {

template <class Facts>
Facts ask(pid_t process, int what, std::uint64_t zombies_too = 0) {
  Facts facts{};
  if (::proc_pidinfo(process, what, zombies_too, &facts, sizeof facts) != static_cast<int>(sizeof facts))
    throw std::runtime_error("the system tells nothing of process " + std::to_string(process) + "; has it ended?");
  return facts;
}

rusage_info_v4 usage_of(pid_t process) {
  rusage_info_v4 usage{};
  if (::proc_pid_rusage(process, RUSAGE_INFO_V4, reinterpret_cast<rusage_info_t*>(&usage)) < 0)
    throw std::runtime_error("the system tells no usage of process " + std::to_string(process));
  return usage;
}

}  // namespace

// Of all its threads, since they are not told apart.
main_thread look_at(pid_t process) {
  switch (ask<proc_bsdinfo>(process, PROC_PIDTBSDINFO, 1).pbi_status) {
    case SSTOP: return {'T', 0};
    case SZOMB: return {'Z', 0};
    default: break;
  }
  const auto task = ask<proc_taskinfo>(process, PROC_PIDTASKINFO);
  return {task.pti_numrunning == 0 ? 'S' : 'R', static_cast<std::size_t>(task.pti_csw)};
}

// In ticks of the machine's clock, which on Apple silicon are not nanoseconds.
std::chrono::nanoseconds processor_time(pid_t process) {
  const rusage_info_v4 usage = usage_of(process);
  mach_timebase_info_data_t tick{};
  ::mach_timebase_info(&tick);
  const auto ticks = static_cast<std::int64_t>(usage.ri_user_time + usage.ri_system_time);
  return std::chrono::nanoseconds(ticks * tick.numer / tick.denom);
}

// Without a list to fill in, the system tells how much room one may need, which is more.
std::size_t open_descriptors(pid_t process) {
  const int room = ::proc_pidinfo(process, PROC_PIDLISTFDS, 0, nullptr, 0);
  std::vector<std::byte> list(static_cast<std::size_t>(room));
  const int bytes = ::proc_pidinfo(process, PROC_PIDLISTFDS, 0, list.data(), room);
  return static_cast<std::size_t>(bytes) / sizeof(proc_fdinfo);
}

std::size_t memory_of(pid_t process) { return ask<proc_taskinfo>(process, PROC_PIDTASKINFO).pti_resident_size; }

std::size_t most_memory_of(pid_t process) { return usage_of(process).ri_lifetime_max_phys_footprint; }

std::size_t unread_at(std::uint16_t) { throw std::runtime_error("macOS does not tell how much is unread at a port"); }

}  // namespace support
