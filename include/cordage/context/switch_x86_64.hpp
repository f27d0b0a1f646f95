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

// `top` is a multiple of 16, and so is the stack pointer in the root frame. The entry begins as if called from there. Its rbx
// is nobody's.
inline void prepare(machine_context& context, void* top, void (*entry)(void*), const root_frame& root) noexcept {
  struct call {
    const void* return_address;
    root_frame caller;
  };
  // Unwinders look for the caller one byte before the address to which is returned. In a program that links the library as a
  // shared one and is no position-independent executable, this may be the address of a stub, where they end.
  const void* const in_root = reinterpret_cast<const char*>(&cordage_stack_root) + 1;
  context.sp = ::new (static_cast<void**>(top) - 3) call{in_root, root};
  context.fp = nullptr;
  context.pc = reinterpret_cast<void*>(entry);
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

[[noreturn]] CORDAGE_ALWAYS_INLINE void leave_for_good(machine_context& to, void* message) noexcept {
  asm volatile(
      "mov (%%rdx), %%rsp\n\t"
      "mov 8(%%rdx), %%rbp\n\t"
      "mov 24(%%rdx), %%rbx\n\t"
      "jmp *16(%%rdx)"
      :
      : "D"(message), "d"(&to)
      : "memory");
  __builtin_unreachable();
}

}  // namespace cordage::detail
