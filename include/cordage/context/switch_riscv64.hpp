// The switch for RISC-V with 64 bits and floating-point registers for arguments (rv64gc, lp64d), ELF. See switch.hpp.
//
// It jumps through t2. A jump through ra or t0 (x1, x5) is taken for a return by the processor's prediction of returns,
// and there is no call here that it would match. With landing pads (Zicfilp), a jump through t2 (x7) is the one indirect
// jump that needs none. Shadow stacks (Zicfiss) are not switched.
//
// gp and tp are the same in all contexts of a thread, and fcsr is shared by them, as by all functions.
//
// Source: RISC-V ELF psABI, sections on the integer and floating-point register conventions; RISC-V unprivileged ISA,
// "Unconditional Jumps", table of return-address stack hints.
#pragma once

#include <new>

#include <cordage/base/config.hpp>
#include <cordage/context/root_frame.hpp>

namespace cordage::detail {

// src/context/switch_riscv64.S knows these offsets.
struct machine_context {
  void* sp;
  void* fp;  // s0; compilers may refuse it as a clobber
  void* pc;
  void* s1;  // clang may use it as a base pointer and then does not save it for a clobber
};

#define CORDAGE_LEAVE_STACK \
  "lla t2, 1f\n\t"          \
  "sd sp, 0(a1)\n\t"        \
  "sd s0, 8(a1)\n\t"        \
  "sd t2, 16(a1)\n\t"       \
  "sd s1, 24(a1)\n\t"
#define CORDAGE_GO_ON \
  "ld t2, 16(a2)\n\t" \
  "ld sp, 0(a2)\n\t"  \
  "ld s0, 8(a2)\n\t"  \
  "ld s1, 24(a2)\n\t" \
  "jr t2\n"
#define CORDAGE_COME_BACK "1:\n\t"
#define CORDAGE_LOST_IN_SWITCH                                                                                          \
  "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",     \
      "s10", "s11", "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "ft8", "ft9", "ft10", "ft11", "fa0", "fa1", \
      "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "fs0", "fs1", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",   \
      "fs10", "fs11" CORDAGE_RVV_CLOBBERS, "memory"

CORDAGE_ALWAYS_INLINE void* switch_context(machine_context& from, machine_context& to, void* message) noexcept {
  register void* m asm("a0") = message;
  register machine_context* f asm("a1") = &from;
  register machine_context* t asm("a2") = &to;
  asm volatile(CORDAGE_LEAVE_STACK CORDAGE_GO_ON CORDAGE_COME_BACK
               : "+r"(m), "+r"(f), "+r"(t)
               :
               : "a3", "a4", CORDAGE_LOST_IN_SWITCH);
  return m;
}

// The entry begins as if called from the root. Its s1 is nobody's.
CORDAGE_ALWAYS_INLINE void* switch_to_new_stack(machine_context& from, void* top, void (*entry)(void*), const root_frame& root,
                                                void* message) noexcept {
  void* const frame = ::new (static_cast<void**>(top) - 2) root_frame(root);  // here, since a call would lose what follows
  register void* m asm("a0") = message;
  register machine_context* f asm("a1") = &from;
  register void* sp asm("a2") = frame;
  register void (*begins)(void*) asm("a3") = entry;
  register void (*returns_to)() asm("a4") = cordage_stack_root_call;
  asm volatile(CORDAGE_LEAVE_STACK
               "mv sp, a2\n\t"
               "li s0, 0\n\t"
               "mv ra, a4\n\t"
               "mv t2, a3\n\t"
               "jr t2\n" CORDAGE_COME_BACK
               : "+r"(m), "+r"(f), "+r"(sp), "+r"(begins), "+r"(returns_to)
               :
               : CORDAGE_LOST_IN_SWITCH);
  return m;
}

[[noreturn]] CORDAGE_ALWAYS_INLINE void leave_for_good(machine_context& to, void* message) noexcept {
  register void* m asm("a0") = message;
  register machine_context* t asm("a2") = &to;
  asm volatile(CORDAGE_GO_ON : : "r"(m), "r"(t) : "memory");
  __builtin_unreachable();
}

#undef CORDAGE_LEAVE_STACK
#undef CORDAGE_GO_ON
#undef CORDAGE_COME_BACK
#undef CORDAGE_LOST_IN_SWITCH

}  // namespace cordage::detail
