// Counts what reaches the general allocator. A program that uses these counters gets the operators new and delete that
// count; under a sanitizer, which brings its own, nothing is counted.
#pragma once

#include <cstdint>

namespace counted_allocations {

extern constinit thread_local std::uint64_t made;  // on this thread, ever
extern constinit thread_local std::int64_t live;   // made less freed, on this thread

}  // namespace counted_allocations
