// How many instructions a piece of code executes, counted one by one.
//
// The kernel single-steps a child of ours, so the count is exact, repeatable and independent of what the machine
// counts. It covers user space only: a system call is one instruction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

namespace bench {

// Calls run(n, begin, end) in a child process: it prepares, calls begin, performs the operation n times, calls end and
// comes back. Gives the instructions per operation, as the difference between n and 2n operations; nothing where
// single-stepping is not permitted. The calling process has one thread.
using counted_run = std::function<void(std::uint64_t n, void (*begin)(), void (*end)())>;
std::optional<double> instructions_per_operation(std::uint64_t n, const counted_run& run);

}  // namespace bench
