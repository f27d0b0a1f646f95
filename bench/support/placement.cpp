#include "support/placement.hpp"

#include <sched.h>
#include <sys/personality.h>
#include <unistd.h>

#include <filesystem>

#include "support/failure.hpp"

namespace bench {

void pin_to_cpu(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  if (::sched_setaffinity(0, sizeof only, &only) != 0) throw_errno("pin to CPU " + std::to_string(cpu));
}

void fix_addresses(char** argv) {
  const int now = ::personality(0xffffffff);
  if (now < 0 || (now & ADDR_NO_RANDOMIZE) != 0) return;
  if (::personality(static_cast<unsigned long>(now) | ADDR_NO_RANDOMIZE) < 0) return;
  if ((::personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0) ::execv("/proc/self/exe", argv);
}

std::string program_directory() { return std::filesystem::read_symlink("/proc/self/exe").parent_path().string(); }

}  // namespace bench
