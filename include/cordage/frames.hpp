// The memory of coroutine frames: which sizes are recycled, and how much of it there is.
//
// A frame that is freed stays with its thread, in a list for its size, for the next frame of that size: in steady state
// coroutines cost no allocation. Lists are capped; what exceeds the cap goes back in batches, also what was freed on
// another thread than it came from. An allocator among a coroutine's arguments goes before all of this; see
// strands/frame_memory.hpp.
#pragma once

#include <cstddef>

namespace cordage {

inline constexpr std::size_t frame_size_step = 64;         // bytes: sizes are rounded up to multiples of it
inline constexpr std::size_t largest_recycled_frame = 2048;  // bytes: larger ones come from operator new

// All in bytes. Zero under a sanitizer, where every frame is really allocated and freed.
struct frame_statistics {
  std::size_t reserved = 0;  // taken from operator new for recycled frames, by all threads
  std::size_t lent = 0;      // of these: with the threads, in use or kept
  std::size_t kept = 0;      // of these: kept by the calling thread, free
};

// Any thread. `reserved` and `lent` are exact at one moment, for which a lock is taken.
frame_statistics current_frame_statistics() noexcept;

}  // namespace cordage
