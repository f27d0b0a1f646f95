#include "support/placement.hpp"

#include <sched.h>

#include <filesystem>

#include "support/failure.hpp"

namespace bench {

void pin_to_cpu(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  if (::sched_setaffinity(0, sizeof only, &only) != 0) throw_errno("pin to CPU " + std::to_string(cpu));
}

std::string program_directory() { return std::filesystem::read_symlink("/proc/self/exe").parent_path().string(); }

}  // namespace bench
