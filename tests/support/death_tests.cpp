#include "death_tests.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

namespace support {
namespace {

// Tries to, by what GoogleTest would do. In the child a program that lists its tests runs none.
bool can_start_itself() {
  const std::string name = testing::internal::GetArgvs()[0];
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(STDOUT_FILENO);
    ::execl(name.c_str(), name.c_str(), "--gtest_list_tests", nullptr);
    ::_exit(1);
  }
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

void prepare_death_test() {
  static const bool can = can_start_itself();
  GTEST_FLAG_SET(death_test_style, can ? "threadsafe" : "fast");
}

}  // namespace support
