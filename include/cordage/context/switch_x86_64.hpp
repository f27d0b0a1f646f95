// The switch for x86-64, System V ABI. See switch.hpp.
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

// `top` is a multiple of 16, and so is the stack pointer where the root frame calls.
inline void prepare(machine_context& context, void* top, const root_frame& root) noexcept {
  auto* const frame = static_cast<void**>(top) - 4;
  ::new (frame) root_frame(root);
  context = {frame, nullptr, reinterpret_cast<void*>(&cordage_stack_root), nullptr};
}

CORDAGE_ALWAYS_INLINE void* switch_context(machine_context& from, machine_context& to, void* message) noexcept {
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
      ".p2align 4\n"
      "1:\n\t"
      "endbr64\n\t"
      : "+D"(message), "+S"(f), "+d"(t)
      :
      : "rax", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
        "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15" CORDAGE_AVX512_CLOBBERS, "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "memory",
        "cc");
  return message;
}

}  // namespace cordage::detail
