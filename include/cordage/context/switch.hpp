// The machine switch: leave one stack, go on upon another.
//
// Chosen by machine in base/config.hpp. Each file defines
//   struct machine_context                              where a stack that is not running goes on; four words
//   switch_context(from, to, message)                   inline; gives the message of whoever switches back
//   switch_to_new_stack(from, top, entry, root_frame, message)
//                                                       inline; the same, but calls entry(message), which never returns, on
//                                                       a stack that ends at top, a multiple of 16
//   leave_for_good(to, message)                         inline; switches where nobody will switch back
// and switch.hpp declares the out-of-line form. Nothing is pushed on a stack, so a red zone is safe; the compiler,
// told that every other register is lost, saves what lives. Floating-point control words are shared by all contexts
// of a thread, as they are by all functions.
//
// Source: System V ABI for x86-64; Procedure Call Standard for the Arm 64-bit Architecture.
#pragma once

#include <cordage/base/config.hpp>

#include CORDAGE_SWITCH_HEADER

namespace cordage::detail {

// What is sent where nobody listens: whatever the register holds.
CORDAGE_ALWAYS_INLINE void* no_message() noexcept {
  void* anything;
  asm("" : "=r"(anything));
  return anything;
}

}  // namespace cordage::detail

extern "C" {

// The same switch for callers who cannot inline it: saves the registers that a callee has to keep, and returns by a
// jump, so that the processor's return-address prediction stays in step. Its contexts mix freely with those of
// switch_context.
void* cordage_switch_opaque(void* message, cordage::detail::machine_context* from,
                            cordage::detail::machine_context* to) noexcept;
}
