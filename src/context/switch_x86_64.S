/* cordage_switch_opaque for x86-64, System V ABI: the switch of include/cordage/context/switch_x86_64.hpp for callers
 * that cannot inline it.
 *
 *   rdi  argument          from, to: machine_context { 0 sp, 8 fp, 16 pc, 24 bx }
 *   rsi  from
 *   rdx  to
 *
 * The frame that a suspended caller leaves on its stack, from the saved sp upwards:
 *
 *    0  r15
 *    8  r14
 *   16  r13
 *   24  r12
 *   32  return address
 *
 * rbp and rbx travel in the context itself. The way back is pop + jmp, not ret: the processor predicts a ret by the
 * matching call, and there is none on this stack. */
    .text
    .globl  cordage_switch_opaque
    .p2align 4
    .type   cordage_switch_opaque, @function
cordage_switch_opaque:
    .cfi_startproc
    endbr64
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    leaq    1f(%rip), %rax
    movq    %rsp, (%rsi)
    movq    %rbp, 8(%rsi)
    movq    %rax, 16(%rsi)
    movq    %rbx, 24(%rsi)
    movq    (%rdx), %rsp
    movq    8(%rdx), %rbp
    movq    24(%rdx), %rbx
    jmpq    *16(%rdx)
    .p2align 3
1:
    endbr64
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    popq    %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register rip, rcx
    jmpq    *%rcx
    .cfi_endproc
    .size   cordage_switch_opaque, .-cordage_switch_opaque
    .section .note.GNU-stack, "", @progbits
