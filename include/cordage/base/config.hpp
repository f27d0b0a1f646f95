// Facts about the compiler and the machine, and the files chosen by them.
//
// This is the only header with conditions on platform macros. Everything else asks the constants below, or includes
// one of the files named here, so that platforms differ by file and never inside a function.
#pragma once

#if defined(__STDC_HOSTED__) && __STDC_HOSTED__
#define CORDAGE_HOSTED 1
#define CORDAGE_ERROR_HEADER <cordage/base/error_hosted.hpp>
#else
#define CORDAGE_HOSTED 0
#define CORDAGE_ERROR_HEADER <cordage/base/error_freestanding.hpp>
#endif

#if defined(__cpp_exceptions)
#define CORDAGE_EXCEPTIONS_HEADER <cordage/base/exceptions_on.hpp>
#else
#define CORDAGE_EXCEPTIONS_HEADER <cordage/base/exceptions_off.hpp>
#endif

#if defined(__cpp_exceptions) && CORDAGE_HOSTED
#define CORDAGE_EXCEPTION_STATE_HEADER <cordage/context/exception_state_itanium.hpp>
#define CORDAGE_THROW_IF_CAUGHT_HEADER <cordage/context/throw_if_caught_itanium.hpp>
#else
#define CORDAGE_EXCEPTION_STATE_HEADER <cordage/context/exception_state_none.hpp>
#define CORDAGE_THROW_IF_CAUGHT_HEADER <cordage/context/throw_if_caught_plain.hpp>
#endif

#if defined(__x86_64__)
#define CORDAGE_SWITCH_HEADER <cordage/context/switch_x86_64.hpp>
#elif defined(__aarch64__)
#define CORDAGE_SWITCH_HEADER <cordage/context/switch_aarch64.hpp>
#elif defined(__riscv) && __riscv_xlen == 64 && defined(__riscv_float_abi_double)
#define CORDAGE_SWITCH_HEADER <cordage/context/switch_riscv64.hpp>
#else
#error "cordage: this machine has no context switch yet; see include/cordage/context/switch_x86_64.hpp for what one is"
#endif

// The registers that exist only with an extension. A function may have it by an attribute ([[gnu::target("avx512f")]]) where
// its translation unit does not: clang takes the names anywhere and heeds them where the function has the registers. GCC
// refuses them in such a unit (docs/guide.md, Coroutines by hand, says what to do there).
#if defined(__AVX512F__) || defined(__clang__)
#define CORDAGE_AVX512_CLOBBERS                                                                                   \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", \
      "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define CORDAGE_AVX512_CLOBBERS
#endif

// GCC has no MMX registers: it uses those of SSE.
#if defined(__clang__)
#define CORDAGE_MMX_CLOBBERS , "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7"
#else
#define CORDAGE_MMX_CLOBBERS
#endif

// APX. Older compilers do not know the names.
#if defined(__APX_F__)
#define CORDAGE_APX_CLOBBERS                                                                                              \
  , "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27", "r28", "r29", "r30", "r31"
#else
#define CORDAGE_APX_CLOBBERS
#endif

// x18 belongs to the platform on Apple's systems and must be left alone; elsewhere the compiler may use it.
#if defined(__APPLE__)
#define CORDAGE_X18_CLOBBER
#else
#define CORDAGE_X18_CLOBBER "x18",
#endif

// RISC-V's vectors.
#if defined(__riscv_vector) || defined(__clang__)
#define CORDAGE_RVV_CLOBBERS                                                                                       \
  , "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16",   \
      "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "vl", \
      "vtype"
#else
#define CORDAGE_RVV_CLOBBERS
#endif

// What a label has to begin with that is jumped to: `bti j`, where branch targets are enforced. Without the flag that asks for
// it the whole program is run without, and needs none.
#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define CORDAGE_BTI_TARGET "hint #36\n\t"
#else
#define CORDAGE_BTI_TARGET
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CORDAGE_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define CORDAGE_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CORDAGE_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define CORDAGE_TSAN 1
#endif

#if defined(CORDAGE_ASAN)
#define CORDAGE_SANITIZER_HEADER <cordage/context/sanitizer_address.hpp>
#elif defined(CORDAGE_TSAN)
#define CORDAGE_SANITIZER_HEADER <cordage/context/sanitizer_thread.hpp>
#else
#define CORDAGE_SANITIZER_HEADER <cordage/context/sanitizer_none.hpp>
#endif

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>) && CORDAGE_HOSTED
#define CORDAGE_VALGRIND_HEADER <cordage/context/valgrind_present.hpp>
#else
#define CORDAGE_VALGRIND_HEADER <cordage/context/valgrind_absent.hpp>
#endif
#endif

// Code that switches stacks has to be expanded where it is used: a call would have to save what the switch clobbers.
#define CORDAGE_ALWAYS_INLINE [[gnu::always_inline]] inline

// For functions that are rarely called from code that is run all the time, and that throw nothing: the caller need not
// save registers around the call. GCC has no such convention on this level.
#if defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
#define CORDAGE_RARELY_CALLED __attribute__((preserve_most, cold, noinline))
#else
#define CORDAGE_RARELY_CALLED __attribute__((cold, noinline))
#endif

// The same for those that may throw: an unwinder restores only the registers of the ordinary convention.
#define CORDAGE_RARELY_THROWS __attribute__((cold, noinline))

// Defined by whoever wants clang's warnings of references that a lazy coroutine outlives. Not always on: clang then takes
// every function that returns a task and is no coroutine for an error unless it is marked as a wrapper, std::function's and
// std::invoke's own included.
#if defined(CORDAGE_LIFETIME_WARNINGS) && defined(__clang__)
#define CORDAGE_COROUTINE_TYPE [[clang::coro_return_type, clang::coro_lifetimebound]]
#define CORDAGE_COROUTINE_WRAPPER [[clang::coro_wrapper, clang::coro_disable_lifetimebound]]
#else
#define CORDAGE_COROUTINE_TYPE
#define CORDAGE_COROUTINE_WRAPPER
#endif

namespace cordage::config {

inline constexpr bool hosted = CORDAGE_HOSTED;

#if defined(__cpp_exceptions)
inline constexpr bool exceptions = true;
#else
inline constexpr bool exceptions = false;
#endif

#if defined(CORDAGE_ASAN) || defined(CORDAGE_TSAN)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
inline constexpr bool gcc12 = true;  // destroys some temporaries of a co_await expression twice; see base/closure.hpp
#else
inline constexpr bool gcc12 = false;
#endif

}  // namespace cordage::config
