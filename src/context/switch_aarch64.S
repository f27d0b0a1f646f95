/* cordage_switch_opaque for AArch64, AAPCS64: the switch of include/cordage/context/switch_aarch64.hpp for callers
 * that cannot inline it.
 *
 *   x0  argument           from, to: machine_context { 0 sp, 8 fp, 16 pc }
 *   x1  from
 *   x2  to
 *
 * The frame that a suspended caller leaves on its stack, from the saved sp upwards:
 *
 *     0  x30 (return address), padding
 *    16  x19 x20    32  x21 x22    48  x23 x24    64  x25 x26    80  x27 x28
 *    96  d8  d9    112  d10 d11   128  d12 d13   144  d14 d15
 *
 * x29 travels in the context itself. The way back is `br`, not `ret`: there is no matching call on this stack. */
#ifdef __APPLE__
# define SYMBOL _cordage_switch_opaque
#else
# define SYMBOL cordage_switch_opaque
#endif
    .text
    .globl  SYMBOL
    .p2align 4
#ifndef __APPLE__
    .type   SYMBOL, %function
#endif
SYMBOL:
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
    mov     x30, xzr
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
    .size   SYMBOL, .-SYMBOL
    .section .note.GNU-stack, "", %progbits
#endif
