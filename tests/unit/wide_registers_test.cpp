// Registers that only some processors have, in functions that ask for them: what lives in them is there again after a yield.
#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <gtest/gtest.h>

#include <cordage/coroutine.hpp>

namespace {

using namespace cordage;

// GCC cannot be told of registers that its translation unit does not have (base/config.hpp).
#if defined(__AVX512F__) || defined(__clang__)

using floats = std::array<float, 16>;

// Holds more vectors than there were before AVX-512, and a mask.
[[gnu::target("avx512f"), gnu::noinline]] void add_where_less(const floats& a, const floats& b, floats& sum) {
  __m512 held[20];
  for (int i = 0; i < 20; ++i) held[i] = _mm512_mul_ps(_mm512_loadu_ps(a.data()), _mm512_set1_ps(static_cast<float>(i)));
  const __mmask16 less = _mm512_cmp_ps_mask(_mm512_loadu_ps(a.data()), _mm512_loadu_ps(b.data()), _CMP_LT_OS);
  __m512 total = held[0];
  for (int i = 1; i < 20; ++i) total = _mm512_add_ps(total, held[i]);
  this_coroutine::yield();
  for (const __m512& each : held) total = _mm512_mask_add_ps(total, less, total, each);
  _mm512_storeu_ps(sum.data(), total);
}

// Nothing but a mask, for which there is k0 where a switch is said to change all others.
[[gnu::target("avx512f"), gnu::noinline]] void add_once_where_less(const floats& a, const floats& b, floats& sum) {
  const __mmask16 less = _mm512_cmp_ps_mask(_mm512_loadu_ps(a.data()), _mm512_loadu_ps(b.data()), _CMP_LT_OS);
  this_coroutine::yield();
  const __m512 terms = _mm512_loadu_ps(a.data());
  _mm512_storeu_ps(sum.data(), _mm512_mask_add_ps(terms, less, terms, _mm512_loadu_ps(b.data())));
}

// Another's turn.
[[gnu::target("avx512f"), gnu::noinline]] void change_all_registers() {
  asm volatile(
      "vpxord %%zmm16, %%zmm16, %%zmm16\n\tvpxord %%zmm17, %%zmm17, %%zmm17\n\tvpxord %%zmm18, %%zmm18, %%zmm18\n\t"
      "vpxord %%zmm19, %%zmm19, %%zmm19\n\tvpxord %%zmm20, %%zmm20, %%zmm20\n\tvpxord %%zmm31, %%zmm31, %%zmm31\n\t"
      "kxorw %%k0, %%k0, %%k0\n\tkxorw %%k1, %%k1, %%k1\n\tkxorw %%k2, %%k2, %%k2\n\tkxorw %%k3, %%k3, %%k3"
      :
      :
      : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm31", "k0", "k1", "k2", "k3");
}

TEST(wide_registers, of_avx512_live_across_a_yield) {
  if (!__builtin_cpu_supports("avx512f")) GTEST_SKIP() << "this processor has no AVX-512";
  floats a, b;
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i), b[i] = i % 2 == 0 ? -100 : 100;
  for (const auto adds : {add_where_less, add_once_where_less}) {
    floats alone, with_another;
    {
      coroutine<void> one{adds, std::cref(a), std::cref(b), std::ref(alone)};
      one.resume();
      one.resume();
    }
    coroutine<void> one{adds, std::cref(a), std::cref(b), std::ref(with_another)};
    coroutine<void> other{change_all_registers};
    one.resume();
    other.resume();
    one.resume();
    EXPECT_EQ(with_another, alone);
    EXPECT_EQ(alone[2], adds == add_where_less ? 2 * 190 : 2);
    EXPECT_EQ(alone[3], adds == add_where_less ? 2 * 3 * 190 : 103);
  }
}

#endif

#if defined(__clang__) && defined(__MMX__)

[[gnu::noinline]] void adds_in_mmx(std::uint64_t a, std::uint64_t b, std::uint64_t& first, std::uint64_t& second) {
  const auto other = reinterpret_cast<__m64>(b);
  const __m64 sum = _mm_add_pi16(reinterpret_cast<__m64>(a), other);
  first = reinterpret_cast<std::uint64_t>(sum);
  this_coroutine::yield();
  second = reinterpret_cast<std::uint64_t>(_mm_add_pi16(sum, other));
  _mm_empty();
}

TEST(wide_registers, of_mmx_live_across_a_yield) {
  std::uint64_t sums[4]{};
  coroutine<void> one{adds_in_mmx, 1U, 2U, std::ref(sums[0]), std::ref(sums[1])};
  coroutine<void> other{adds_in_mmx, 1000U, 2000U, std::ref(sums[2]), std::ref(sums[3])};
  for (int i = 0; i < 2; ++i) one.resume(), other.resume();
  EXPECT_EQ(std::to_array(sums), (std::array<std::uint64_t, 4>{3, 5, 3000, 5000}));
}

#endif

}  // namespace
#endif
