// How the frame says that it could not measure: an exception that names what was attempted, which a benchmark's main
// prints before it exits with `could_not_measure`. A missed gate is not a failure of this kind; see report.hpp.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace bench {

// What a benchmark program's exit status means.
enum exit_status { all_gates_met = 0, gate_missed = 1, wrong_usage = 2, could_not_measure = 3 };

[[noreturn]] inline void throw_errno(const std::string& attempted, int error = errno) {
  throw std::system_error(error, std::generic_category(), attempted);
}

}  // namespace bench
