#include "seeded_bytes.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>

namespace support {

std::uint64_t choose_seed() {
  const char* const given = std::getenv("CORDAGE_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("seed %llu (CORDAGE_TEST_SEED=%llu repeats it)\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t seeded_bytes::next_word() noexcept {
  std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

void seeded_bytes::fill(std::span<char> piece) noexcept {
  while (!piece.empty()) {
    if (left_of_word_ == 0) {
      word_ = next_word();
      left_of_word_ = sizeof word_;
    }
    const std::size_t count = std::min(piece.size(), left_of_word_);
    std::memcpy(piece.data(), reinterpret_cast<const char*>(&word_) + (sizeof word_ - left_of_word_), count);
    left_of_word_ -= count;
    piece = piece.subspan(count);
  }
}

std::string seeded_bytes::next(std::size_t count) {
  std::string piece(count, '\0');
  fill(piece);
  return piece;
}

void expected_bytes::compare(std::span<const char> got) {
  const std::string wanted = bytes_.next(got.size());
  const auto [differs, ours] = std::mismatch(got.begin(), got.end(), wanted.begin());
  count_ += static_cast<std::size_t>(differs - got.begin());
  if (differs != got.end())
    throw std::runtime_error("byte " + std::to_string(count_) + " is not the one that was sent");
}

}  // namespace support
