// Interleaving: every round takes one sample of everything, in an order of its own.
//
// Two programs measured one after the other differ by what the machine did meanwhile. Measured in turns they see the
// same drift, and shuffling keeps any of them from always running behind the same neighbour.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace bench {

// Calls sample(which) for each which < count, in a shuffled order, `rounds` times over. The order depends on nothing
// but the seed.
void shuffled_rounds(int rounds, std::size_t count, std::uint64_t seed, const std::function<void(std::size_t)>& sample);

// A seed that differs from run to run; print it.
std::uint64_t fresh_seed();

}  // namespace bench
