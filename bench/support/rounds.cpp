#include "support/rounds.hpp"

#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace bench {

void shuffled_rounds(int rounds, std::size_t count, std::uint64_t seed,
                     const std::function<void(std::size_t)>& sample) {
  std::mt19937_64 random(seed);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (int round = 0; round < rounds; ++round) {
    // Written out because the order std::shuffle gives differs between standard libraries. The remainder's bias is
    // below 2^-60 for counts like ours.
    for (std::size_t left = count; left > 1; --left) std::swap(order[left - 1], order[random() % left]);
    for (const std::size_t which : order) sample(which);
  }
}

std::uint64_t fresh_seed() { return std::random_device()(); }

}  // namespace bench
