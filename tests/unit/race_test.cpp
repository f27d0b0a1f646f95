// Races claimed by many threads. Which interleavings there are is left to chance; what must hold in all of them is looked at.
#include <cordage/sync/race.hpp>

#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "slowly.hpp"

namespace {

using namespace cordage;
using detail::race;
using outcome = race::outcome;

constexpr int rounds = support::slowly ? 3'000 : 30'000;

TEST(race, is_claimed_once) {
  race one;
  EXPECT_TRUE(race::claim(&one));
  EXPECT_FALSE(race::claim(&one));
  EXPECT_TRUE(race::claim(nullptr)) << "what does not race always wins";
  EXPECT_TRUE(race::claim(nullptr));
}

TEST(race, is_claimed_with_another_or_neither_is) {
  race a, b, c;
  EXPECT_EQ(race::claim_both(&a, &a), outcome::itself);
  EXPECT_EQ(race::claim_both(&a, &b), outcome::won);
  EXPECT_FALSE(race::claim(&a));
  EXPECT_FALSE(race::claim(&b));
  EXPECT_EQ(race::claim_both(&c, &a), outcome::other_lost);
  EXPECT_EQ(race::claim_both(&a, &c), outcome::one_lost);
  EXPECT_EQ(race::claim_both(nullptr, &a), outcome::other_lost);
  EXPECT_EQ(race::claim_both(&a, nullptr), outcome::one_lost);
  EXPECT_TRUE(race::claim(&c)) << "it was left open";
  race d;
  EXPECT_EQ(race::claim_both(&d, nullptr), outcome::won);
  EXPECT_EQ(race::claim_both(nullptr, &d), outcome::other_lost);
  EXPECT_EQ(race::claim_both(nullptr, nullptr), outcome::won);
}

// So many threads act, round for round: act(thread, round), at about the same time, since each waits a little for the others.
// Then judge(round).
template <class Act, class Judge>
void meet(int count, Act act, Judge judge) {
  std::vector<std::atomic<int>> arrived(static_cast<std::size_t>(rounds));
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < rounds; ++round) {
        std::atomic<int>& here = arrived[static_cast<std::size_t>(round)];
        ++here;
        for (int looks = 0; looks < 300 && here < count; ++looks) continue;
        act(t, round);
      }
    });
  for (auto& thread : threads) thread.join();
  for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) judge(round);
}

TEST(race, that_many_threads_claim_is_won_by_one) {
  std::vector<race> races(static_cast<std::size_t>(rounds));
  std::vector<std::atomic<int>> won(races.size());
  const auto claims = [&](int, int round) {
    const auto at = static_cast<std::size_t>(round);
    won[at] += race::claim(&races[at]);
  };
  meet(4, claims, [&](int round) { EXPECT_EQ(won[static_cast<std::size_t>(round)], 1); });
}

// Thread i is the select with race i, which meets that of the next: all of them in a ring, as selects that each send to the
// next and receive from the last one do.
void ring(int size) {
  struct world {
    std::array<race, 4> races;
    std::array<outcome, 4> got;
  };
  std::vector<world> worlds(static_cast<std::size_t>(rounds));
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  meet(
      size,
      [&](int i, int round) {
        world& now = worlds[at(round)];
        now.got[at(i)] = race::claim_both(&now.races[at(i)], &now.races[at((i + 1) % size)]);
      },
      [&](int round) {
        world& now = worlds[at(round)];
        std::array<int, 4> decided{};
        int pairs = 0;
        for (int i = 0; i < size; ++i) {
          if (now.got[at(i)] != outcome::won) continue;
          ++pairs;
          ++decided[at(i)];
          ++decided[at((i + 1) % size)];
        }
        EXPECT_GE(pairs, 1) << "somebody is the first";
        for (int i = 0; i < size; ++i) {
          EXPECT_LE(decided[at(i)], 1);
          EXPECT_EQ(race::claim(&now.races[at(i)]), decided[at(i)] == 0) << "neither, or both";
          const int next = (i + 1) % size;
          if (now.got[at(i)] == outcome::one_lost) {
            EXPECT_EQ(decided[at(i)], 1);
          }
          if (now.got[at(i)] == outcome::other_lost) {
            EXPECT_EQ(decided[at(next)], 1);
          }
        }
      });
}

TEST(race, two_that_ask_for_each_other_are_decided_together) { ring(2); }
TEST(race, three_in_a_ring_make_one_pair) { ring(3); }
TEST(race, four_in_a_ring_make_one_pair_or_two) { ring(4); }

// As selects do it: each thread has a race of its own, and asks for those of all others, while plain waits claim them.
TEST(race, among_many_each_is_decided_exactly_once) {
  constexpr int count = 6;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  struct world {
    std::array<race, count> races;
    std::array<std::atomic<int>, count> decided{};
  };
  std::vector<world> worlds(static_cast<std::size_t>(rounds));
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  std::vector<std::minstd_rand> randoms;
  for (unsigned t = 0; t < count; ++t) randoms.emplace_back(seed + t);
  meet(
      count,
      [&](int self, int round) {
        world& now = worlds[at(round)];
        for (int asked = 0; asked < count; ++asked) {
          const int other = static_cast<int>(randoms[at(self)]() % count);
          if (randoms[at(self)]() % 8 == 0) {
            now.decided[at(other)] += race::claim(&now.races[at(other)]);
          } else if (race::claim_both(&now.races[at(self)], &now.races[at(other)]) == outcome::won) {
            ++now.decided[at(self)];
            ++now.decided[at(other)];
          }
        }
      },
      [&](int round) {
        world& now = worlds[at(round)];
        for (int i = 0; i < count; ++i) {
          now.decided[at(i)] += race::claim(&now.races[at(i)]);
          EXPECT_EQ(now.decided[at(i)], 1);
        }
      });
}

}  // namespace
