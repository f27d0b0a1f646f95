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

// `top` is a multiple of 16, as the stack pointer has to be. The root finds whom it calls in s1.
inline void prepare(machine_context& context, void* top, void (*entry)(void*), const root_frame& root) noexcept {
  void* const frame = ::new (static_cast<void**>(top) - 2) root_frame(root);
  context = {frame, nullptr, reinterpret_cast<void*>(&cordage_stack_root), reinterpret_cast<void*>(entry)};
}

CORDAGE_ALWAYS_INLINE void* switch_context(machine_context& from, machine_context& to, void* message) noexcept {
  register void* m asm("a0") = message;
  register machine_context* f asm("a1") = &from;
  register machine_context* t asm("a2") = &to;
  asm volatile(
      "lla t2, 1f\n\t"
      "sd sp, 0(a1)\n\t"
      "sd s0, 8(a1)\n\t"
      "sd t2, 16(a1)\n\t"
      "sd s1, 24(a1)\n\t"
      "ld t2, 16(a2)\n\t"
      "ld sp, 0(a2)\n\t"
      "ld s0, 8(a2)\n\t"
      "ld s1, 24(a2)\n\t"
      "jr t2\n"
      "1:\n\t"
      : "+r"(m), "+r"(f), "+r"(t)
      :
      : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6",
        "s7", "s8", "s9", "s10", "s11", "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "ft8", "ft9", "ft10",
        "ft11", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "fs0", "fs1", "fs2", "fs3", "fs4", "fs5", "fs6",
        "fs7", "fs8", "fs9", "fs10", "fs11" CORDAGE_RVV_CLOBBERS, "memory");
  return m;
}

[[noreturn]] CORDAGE_ALWAYS_INLINE void leave_for_good(machine_context& to, void* message) noexcept {
  register void* m asm("a0") = message;
  register machine_context* t asm("a2") = &to;
  asm volatile(
      "ld t2, 16(a2)\n\t"
      "ld sp, 0(a2)\n\t"
      "ld s0, 8(a2)\n\t"
      "ld s1, 24(a2)\n\t"
      "jr t2"
      :
      : "r"(m), "r"(t)
      : "memory");
  __builtin_unreachable();
}

}  // namespace cordage::detail
