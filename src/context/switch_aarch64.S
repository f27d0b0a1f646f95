/* AArch64, AAPCS64: where a stack begins, and the switch of include/cordage/context/switch_aarch64.hpp for callers that
 * cannot inline it.
 *
 *   machine_context { 0 sp, 8 fp, 16 pc }
 *
 * cordage_switch_opaque(x0 message, x1 from, x2 to), gives x0 message
 *
 * The frame that a suspended caller leaves on its stack, from the saved sp upwards:
 *
 *     0  x30 (return address), padding
 *    16  x19 x20    32  x21 x22    48  x23 x24    64  x25 x26    80  x27 x28
 *    96  d8  d9    112  d10 d11   128  d12 d13   144  d14 d15
 *
 * x29 travels in the context itself. The way back is `br`, not `ret`: there is no matching call on this stack. */
#ifdef __APPLE__
# define SWITCH _cordage_switch_opaque
# define ROOT _cordage_stack_root
#else
# define SWITCH cordage_switch_opaque
# define ROOT cordage_stack_root
#endif
    .text
    .globl  SWITCH
    .p2align 4
#ifndef __APPLE__
    .type   SWITCH, %function
#endif
SWITCH:
    .cfi_startproc
    hint    #34                         /* bti c */
    sub     sp, sp, #160
    .cfi_def_cfa_offset 160
    str     x30, [sp]
    .cfi_offset x30, -160
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    adr     x16, 1f
    mov     x17, sp
    stp     x17, x29, [x1]
    str     x16, [x1, #16]
    ldp     x17, x29, [x2]
    ldr     x16, [x2, #16]
    mov     sp, x17
    br      x16
1:
    hint    #36                         /* bti j */
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    ldr     x30, [sp]
    .cfi_restore x30
    add     sp, sp, #160
    .cfi_def_cfa_offset 0
    mov     x16, x30
    br      x16
    .cfi_endproc
#ifndef __APPLE__
    .size   SWITCH, .-SWITCH
#endif

/* cordage_stack_root: the outermost frame of a stack. A root_frame lies at its stack pointer:
 *
 *    0  argument
 *    8  entry
 *   16  outside: where the pointer is to the context of whoever has entered this stack
 *
 * Unwinders go on from here in that context: the canonical frame address is its sp, and pc and x29 are found in it. It
 * is marked as a signal frame, or gdb would stop where the other stack lies at lower addresses, and unwinders would
 * look for the caller before its pc. In a suspended stack the way ends here: the pointer is null, or the pc behind it no address.
 *
 * Source: DWARF 5, sections 2.5 and 6.4.2; DWARF for the Arm 64-bit Architecture, section 4.1. */
    .globl  ROOT
    .p2align 4
#ifndef __APPLE__
    .type   ROOT, %function
#endif
ROOT:
    .cfi_startproc
    .cfi_signal_frame
    /* def_cfa_expression: breg31 (sp) 16, deref, deref, deref */
    .cfi_escape 0x0f, 5, 0x8f, 16, 0x06, 0x06, 0x06
    /* expression, x30: breg31 16, deref, deref, plus_uconst 16 */
    .cfi_escape 0x10, 30, 6, 0x8f, 16, 0x06, 0x06, 0x23, 16
    /* expression, x29 */
    .cfi_escape 0x10, 29, 6, 0x8f, 16, 0x06, 0x06, 0x23, 8
    hint    #34                         /* bti c */
    ldp     x0, x16, [sp]
    /* Not blr: the processor would predict returns by it, and entry never returns. */
    adr     x30, 1f
    br      x16
    nop
1:
    brk     #1
    .cfi_endproc
#ifndef __APPLE__
    .size   ROOT, .-ROOT
    .section .note.GNU-stack, "", %progbits
#endif
