// The switch for AArch64, AAPCS64, ELF and Apple. See switch.hpp.
//
// Return addresses that are signed (pac-ret, Apple's arm64e) survive it: each is signed with the stack pointer of its own
// frame and checked with the same one, since a stack goes on where it was left and never moves. A context holds no
// return address: its pc is the address of a label, unsigned, and where branch targets are enforced (BTI) only a label
// marked as one can be reached through it: the label by `bti j`; the entry of a fresh context by `bti c`, which accepts a jump
// through x16, too. The tests have been seen to die of either that is taken away (tools/test_platforms.py).
//
// What is shared by all contexts of a thread: FPCR and FPSR, as by all functions. The streaming mode and ZA of SME must be
// off, as they are in functions that do not ask for them; shadow stacks in x18 or by GCS are not switched.
#pragma once

#include <new>

#include <cordage/base/config.hpp>
#include <cordage/context/root_frame.hpp>

namespace cordage::detail {

// src/context/switch_aarch64.S knows these offsets.
struct machine_context {
  void* sp;
  void* fp;
  void* pc;
  void* x19;  // clang may use it as a base pointer and then does not save it for a clobber
};

#define CORDAGE_LEAVE_STACK     \
  "adr x16, 1f\n\t"             \
  "mov x17, sp\n\t"             \
  "stp x17, x29, [x1]\n\t"      \
  "stp x16, x19, [x1, #16]\n\t"
#define CORDAGE_GO_ON           \
  "ldp x17, x29, [x2]\n\t"      \
  "ldp x16, x19, [x2, #16]\n\t" \
  "mov sp, x17\n\t"             \
  "br x16\n"
#define CORDAGE_COME_BACK "1:\n\t" CORDAGE_BTI_TARGET
// v0 to v31 are the lower parts of SVE's z0 to z31, and to clobber a part is to clobber the whole; p0 to p15 compilers know with
// and without SVE, which a function may have by an attribute. FFR is nothing that they keep a value in.
#define CORDAGE_LOST_IN_SWITCH                                                                                       \
  "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", CORDAGE_X18_CLOBBER "x20",   \
      "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", \
      "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",  \
      "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", \
      "p10", "p11", "p12", "p13", "p14", "p15", "memory", "cc"

CORDAGE_ALWAYS_INLINE void* switch_context(machine_context& from, machine_context& to, void* message) noexcept {
  register void* m asm("x0") = message;
  register machine_context* f asm("x1") = &from;
  register machine_context* t asm("x2") = &to;
  asm volatile(CORDAGE_LEAVE_STACK CORDAGE_GO_ON CORDAGE_COME_BACK
               : "+r"(m), "+r"(f), "+r"(t)
               :
               : "x3", "x4", CORDAGE_LOST_IN_SWITCH);
  return m;
}

// The entry begins as if called from the root. Its x19 is nobody's. Where branch targets are enforced it can be reached through
// x16, as a function that is called.
CORDAGE_ALWAYS_INLINE void* switch_to_new_stack(machine_context& from, void* top, void (*entry)(void*), const root_frame& root,
                                                void* message) noexcept {
  void* const frame = ::new (static_cast<void**>(top) - 2) root_frame(root);  // here, since a call would lose what follows
  register void* m asm("x0") = message;
  register machine_context* f asm("x1") = &from;
  register void* sp asm("x2") = frame;
  register void (*begins)(void*) asm("x3") = entry;
  register void (*returns_to)() asm("x4") = cordage_stack_root_call;
  asm volatile(CORDAGE_LEAVE_STACK
               "mov sp, x2\n\t"
               "mov x29, xzr\n\t"
               "mov x30, x4\n\t"
               "mov x16, x3\n\t"
               "br x16\n" CORDAGE_COME_BACK
               : "+r"(m), "+r"(f), "+r"(sp), "+r"(begins), "+r"(returns_to)
               :
               : CORDAGE_LOST_IN_SWITCH);
  return m;
}

[[noreturn]] CORDAGE_ALWAYS_INLINE void leave_for_good(machine_context& to, void* message) noexcept {
  register void* m asm("x0") = message;
  register machine_context* t asm("x2") = &to;
  asm volatile(CORDAGE_GO_ON : : "r"(m), "r"(t) : "memory");
  __builtin_unreachable();
}

#undef CORDAGE_LEAVE_STACK
#undef CORDAGE_GO_ON
#undef CORDAGE_COME_BACK
#undef CORDAGE_LOST_IN_SWITCH

}  // namespace cordage::detail
