// Pseudo-random bytes that a seed gives again: what is sent need not be kept to be compared with what comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace support {

// From the environment's CORDAGE_TEST_SEED, otherwise new with each call; printed, so that a failure can be repeated.
std::uint64_t choose_seed();

// The endless sequence of one seed. Into what pieces it is cut makes no difference.
class seeded_bytes {
 public:
  explicit seeded_bytes(std::uint64_t seed) noexcept : state_(seed) {}

  // The next bytes of the sequence.
  void fill(std::span<char> piece) noexcept;
  std::string next(std::size_t count);

 private:
  std::uint64_t next_word() noexcept;

  std::uint64_t state_;
  std::uint64_t word_ = 0;
  std::size_t left_of_word_ = 0;  // bytes of it not given out yet
};

// Compares a stream, as it comes, with the sequence of a seed.
class expected_bytes {
 public:
  explicit expected_bytes(std::uint64_t seed) noexcept : bytes_(seed) {}

  // Throws at the first byte that differs, naming its position.
  void compare(std::span<const char> got);
  std::size_t count() const noexcept { return count_; }

 private:
  seeded_bytes bytes_;
  std::size_t count_ = 0;
};

}  // namespace support
