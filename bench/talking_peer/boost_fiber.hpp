// Fibers of Boost that talk through a channel of theirs, where Boost.Fiber is installed: one of the two files beside this is
// built, as CMake finds it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace talking_peer {

extern const bool has_boost_fiber;

// So many numbers from one fiber to another on this thread. The capacity is a power of two; Boost uses one place less.
void pass_through_boost(std::uint64_t items, std::size_t capacity);

}  // namespace talking_peer
