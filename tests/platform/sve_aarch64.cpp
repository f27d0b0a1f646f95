// What lives in the registers of SVE is there again after a switch: vectors with all of their length, and predicates.
//
// Built with SVE and run by tools/test_sve.sh; the exit status tells.
#include <arm_sve.h>

#include <cstdint>
#include <cstdio>

#include "bare_coroutine.hpp"

namespace {

using bare = support::bare_coroutine;

// One turn on either side, with values of its own. The empty asm statements hide from the compiler that what it
// computes before the switch and after it is the same.
template <auto Switch>
[[gnu::noinline]] bool survive(bare& b, std::int32_t seed) {
  const svbool_t all = svptrue_b32();
  svint32_t rising = svindex_s32(seed, 3);
  svint32_t falling = svindex_s32(seed, -7);
  asm volatile("" : "+w"(rising), "+w"(falling));
  svbool_t first = svwhilelt_b32(0, seed % 4);
  svbool_t others = svnot_b_z(all, first);
  asm volatile("" : "+Upa"(first), "+Upa"(others));
  Switch(b);
  asm volatile("" : "+r"(seed));
  const svbool_t lost = svorr_b_z(all, svcmpne_s32(all, rising, svindex_s32(seed, 3)),
                                  svcmpne_s32(all, falling, svindex_s32(seed, -7)));
  const svbool_t expected = svwhilelt_b32(0, seed % 4);
  const svbool_t wrong = svorr_b_z(all, sveor_b_z(all, first, expected),
                                   sveor_b_z(all, others, svnot_b_z(all, expected)));
  return !svptest_any(all, lost) && !svptest_any(all, wrong);
}

constexpr auto resume = [](bare& b) __attribute__((always_inline)) { b.resume(); };
constexpr auto yield = [](bare& b) __attribute__((always_inline)) { b.yield(); };

}  // namespace

int main() {
  bare inner([](bare& b) {
    for (std::int32_t seed = 1'000'001; survive<yield>(b, seed); seed += 2) ++b.value;
  });
  constexpr long rounds = 1000;
  bool right = true;
  for (std::int32_t seed = 0; seed < rounds; ++seed) right = survive<resume>(inner, seed) && right;
  right = right && !inner.done && inner.value == rounds - 1;
  std::printf("%lu bits: %s\n", static_cast<unsigned long>(svcntb() * 8), right ? "nothing lost" : "something was lost");
  return right ? 0 : 1;
}
