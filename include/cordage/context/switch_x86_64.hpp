// The switch for x86-64, System V ABI. See switch.hpp.
#pragma once

#include <cordage/base/config.hpp>

namespace cordage::detail {

// src/context/switch_x86_64.S knows these offsets.
struct machine_context {
  void* sp;
  void* fp;
  void* pc;
  void* bx;  // clang may use rbx as a base pointer and then refuses it as a clobber
};

// The stack begins as if entry had been called from address 0, where unwinders stop.
inline void prepare(machine_context& context, void* top, void (*entry)(void*)) noexcept {
  auto* const stack = static_cast<void**>(top);
  stack[-1] = nullptr;
  context = {stack - 1, nullptr, reinterpret_cast<void*>(entry), nullptr};
}

CORDAGE_ALWAYS_INLINE void switch_context(machine_context& from, machine_context& to, void* argument) noexcept {
  machine_context* f = &from;
  machine_context* t = &to;
  asm volatile(
      "lea 1f(%%rip), %%rax\n\t"
      "mov %%rsp, (%%rsi)\n\t"
      "mov %%rbp, 8(%%rsi)\n\t"
      "mov %%rax, 16(%%rsi)\n\t"
      "mov %%rbx, 24(%%rsi)\n\t"
      "mov (%%rdx), %%rsp\n\t"
      "mov 8(%%rdx), %%rbp\n\t"
      "mov 24(%%rdx), %%rbx\n\t"
      "jmp *16(%%rdx)\n\t"
      ".p2align 3\n"
      "1:\n\t"
      "endbr64\n\t"
      : "+D"(argument), "+S"(f), "+d"(t)
      :
      : "rax", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
        "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15" CORDAGE_AVX512_CLOBBERS, "memory", "cc");
}

}  // namespace cordage::detail
