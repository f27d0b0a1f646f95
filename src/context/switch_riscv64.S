/* RISC-V with 64 bits, lp64d, ELF: where a stack begins, and the switch of include/cordage/context/switch_riscv64.hpp for
 * callers that cannot inline it.
 *
 *   machine_context { 0 sp, 8 fp (s0), 16 pc, 24 s1 }
 *
 * cordage_switch_opaque(a0 message, a1 from, a2 to), gives a0 message
 *
 * The frame that a suspended caller leaves on its stack, from the saved sp upwards:
 *
 *     0  ra, padding
 *    16  s2  s3     32  s4  s5     48  s6  s7     64  s8  s9     80  s10  s11
 *    96  fs0 fs1   112  fs2 fs3   128  fs4 fs5   144  fs6 fs7   160  fs8  fs9   176  fs10 fs11
 *
 * s0 and s1 travel in the context itself. The way back is a jump through t2, not a return: there is no matching call on
 * this stack. */
    .text
    .globl  cordage_switch_opaque
    .p2align 2
    .type   cordage_switch_opaque, @function
cordage_switch_opaque:
    .cfi_startproc
    addi    sp, sp, -192
    .cfi_def_cfa_offset 192
    sd      ra, 0(sp)
    .cfi_offset ra, -192
    sd      s2, 16(sp)
    .cfi_offset s2, -176
    sd      s3, 24(sp)
    .cfi_offset s3, -168
    sd      s4, 32(sp)
    .cfi_offset s4, -160
    sd      s5, 40(sp)
    .cfi_offset s5, -152
    sd      s6, 48(sp)
    .cfi_offset s6, -144
    sd      s7, 56(sp)
    .cfi_offset s7, -136
    sd      s8, 64(sp)
    .cfi_offset s8, -128
    sd      s9, 72(sp)
    .cfi_offset s9, -120
    sd      s10, 80(sp)
    .cfi_offset s10, -112
    sd      s11, 88(sp)
    .cfi_offset s11, -104
    fsd     fs0, 96(sp)
    fsd     fs1, 104(sp)
    fsd     fs2, 112(sp)
    fsd     fs3, 120(sp)
    fsd     fs4, 128(sp)
    fsd     fs5, 136(sp)
    fsd     fs6, 144(sp)
    fsd     fs7, 152(sp)
    fsd     fs8, 160(sp)
    fsd     fs9, 168(sp)
    fsd     fs10, 176(sp)
    fsd     fs11, 184(sp)
    lla     t2, 1f
    sd      sp, 0(a1)
    sd      s0, 8(a1)
    sd      t2, 16(a1)
    sd      s1, 24(a1)
    ld      t2, 16(a2)
    ld      sp, 0(a2)
    ld      s0, 8(a2)
    ld      s1, 24(a2)
    jr      t2
1:
    ld      t2, 0(sp)
    ld      s2, 16(sp)
    ld      s3, 24(sp)
    ld      s4, 32(sp)
    ld      s5, 40(sp)
    ld      s6, 48(sp)
    ld      s7, 56(sp)
    ld      s8, 64(sp)
    ld      s9, 72(sp)
    ld      s10, 80(sp)
    ld      s11, 88(sp)
    fld     fs0, 96(sp)
    fld     fs1, 104(sp)
    fld     fs2, 112(sp)
    fld     fs3, 120(sp)
    fld     fs4, 128(sp)
    fld     fs5, 136(sp)
    fld     fs6, 144(sp)
    fld     fs7, 152(sp)
    fld     fs8, 160(sp)
    fld     fs9, 168(sp)
    fld     fs10, 176(sp)
    fld     fs11, 184(sp)
    .cfi_register ra, t2
    .cfi_restore s2
    .cfi_restore s3
    .cfi_restore s4
    .cfi_restore s5
    .cfi_restore s6
    .cfi_restore s7
    .cfi_restore s8
    .cfi_restore s9
    .cfi_restore s10
    .cfi_restore s11
    addi    sp, sp, 192
    .cfi_def_cfa_offset 0
    jr      t2
    .cfi_endproc
    .size   cordage_switch_opaque, .-cordage_switch_opaque

/* cordage_stack_root: the outermost frame of a stack. Nothing ever runs there; it is what the entry would return to, and
 * where unwinders find a root_frame at the stack pointer:
 *
 *    0  outside: where the pointer is to the context of whoever has entered this stack
 *
 * They go on from there in that context: the canonical frame address is its sp, and pc, s0 and s1 are found in it. It
 * is marked as a signal frame, or gdb would stop where the other stack lies at lower addresses, and unwinders would
 * look for the caller before its pc. In a suspended stack the way ends here: the pointer is null, or the pc behind it no address.
 *
 * Source: DWARF 5, sections 2.5 and 6.4.2; RISC-V DWARF Specification, register numbers: ra 1, sp 2, s0 8, s1 9. */
    .globl  cordage_stack_root
    .p2align 2
    .type   cordage_stack_root, @function
cordage_stack_root:
    .cfi_startproc
    .cfi_signal_frame
    /* def_cfa_expression: breg2 (sp) 0, deref, deref, deref */
    .cfi_escape 0x0f, 5, 0x72, 0, 0x06, 0x06, 0x06
    /* expression, ra: breg2 0, deref, deref, plus_uconst 16 */
    .cfi_escape 0x10, 1, 6, 0x72, 0, 0x06, 0x06, 0x23, 16
    /* expression, s0 */
    .cfi_escape 0x10, 8, 6, 0x72, 0, 0x06, 0x06, 0x23, 8
    /* expression, s1 */
    .cfi_escape 0x10, 9, 6, 0x72, 0, 0x06, 0x06, 0x23, 24
    nop
    .globl  cordage_stack_root_call
    .type   cordage_stack_root_call, @function  /* no size: gdb is to name this by the root */
cordage_stack_root_call:
    ebreak
    .cfi_endproc
    .size   cordage_stack_root, .-cordage_stack_root
    .section .note.GNU-stack, "", @progbits
