// The switch for x86-64, System V ABI. See switch.hpp.
//
// Labels that are jumped to begin with endbr64. Shadow stacks are not switched: src/context/switch_x86_64.S does not say that they
// may be on, so they are off in every program that is linked with it. Untested, since no machine of ours has them.
#pragma once

#include <new>

#include <cordage/base/config.hpp>
#include <cordage/context/root_frame.hpp>

namespace cordage::detail {

// src/context/switch_x86_64.S knows these offsets.
struct machine_context {
  void* sp;
  void* fp;
  void* pc;
  void* bx;  // clang may use rbx as a base pointer and then refuses it as a clobber
};

#define CORDAGE_LEAVE_STACK  \
  "lea 1f(%%rip), %%rax\n\t" \
  "mov %%rsp, (%%rsi)\n\t"   \
  "mov %%rbp, 8(%%rsi)\n\t"  \
  "mov %%rax, 16(%%rsi)\n\t" \
  "mov %%rbx, 24(%%rsi)\n\t"
#define CORDAGE_GO_ON        \
  "mov (%%rdx), %%rsp\n\t"   \
  "mov 8(%%rdx), %%rbp\n\t"  \
  "mov 24(%%rdx), %%rbx\n\t" \
  "jmp *16(%%rdx)\n\t"
#define CORDAGE_COME_BACK \
  ".p2align 4\n"          \
  "1:\n\t"                \
  "endbr64\n\t"
#define CORDAGE_LOST_IN_SWITCH                                                                                      \
  "rax", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",      \
      "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", \
      "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "memory",                                                        \
      "cc" CORDAGE_AVX512_CLOBBERS CORDAGE_MMX_CLOBBERS CORDAGE_APX_CLOBBERS

CORDAGE_ALWAYS_INLINE void* switch_context(machine_context& from, machine_context& to, void* message) noexcept {
  machine_context* f = &from;
  machine_context* t = &to;
  asm volatile(CORDAGE_LEAVE_STACK CORDAGE_GO_ON CORDAGE_COME_BACK
               : "+D"(message), "+S"(f), "+d"(t)
               :
               : "rcx", CORDAGE_LOST_IN_SWITCH);
  return message;
}

// The entry begins as if called from the root. Its rbx is nobody's.
CORDAGE_ALWAYS_INLINE void* switch_to_new_stack(machine_context& from, void* top, void (*entry)(void*), const root_frame& root,
                                                void* message) noexcept {
  struct call {
    void (*returns_to)();
    root_frame caller;
  };
  machine_context* f = &from;
  void* sp = ::new (static_cast<void**>(top) - 3) call{cordage_stack_root_call, root};
  asm volatile(CORDAGE_LEAVE_STACK
               "mov %%rdx, %%rsp\n\t"
               "xor %%ebp, %%ebp\n\t"
               "jmp *%%rcx\n\t" CORDAGE_COME_BACK
               : "+D"(message), "+S"(f), "+d"(sp), "+c"(entry)
               :
               : CORDAGE_LOST_IN_SWITCH);
  return message;
}

[[noreturn]] CORDAGE_ALWAYS_INLINE void leave_for_good(machine_context& to, void* message) noexcept {
  asm volatile(CORDAGE_GO_ON : : "D"(message), "d"(&to) : "memory");
  __builtin_unreachable();
}

#undef CORDAGE_LEAVE_STACK
#undef CORDAGE_GO_ON
#undef CORDAGE_COME_BACK
#undef CORDAGE_LOST_IN_SWITCH

}  // namespace cordage::detail
