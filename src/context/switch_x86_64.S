/* x86-64, System V ABI: where a stack begins, and the switch of include/cordage/context/switch_x86_64.hpp for callers
 * that cannot inline it.
 *
 *   machine_context { 0 sp, 8 fp, 16 pc, 24 bx }
 *
 * cordage_switch_opaque(rdi message, rsi from, rdx to), gives rax message
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
#ifdef __APPLE__
# define SWITCH _cordage_switch_opaque
# define ROOT _cordage_stack_root
# define ROOT_CALL _cordage_stack_root_call
#else
# define SWITCH cordage_switch_opaque
# define ROOT cordage_stack_root
# define ROOT_CALL cordage_stack_root_call
#endif
    .text
    .globl  SWITCH
    .p2align 4
#ifndef __APPLE__
    .type   SWITCH, @function
#endif
SWITCH:
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
    movq    %rdi, %rax
    jmpq    *%rcx
    .cfi_endproc
#ifndef __APPLE__
    .size   SWITCH, .-SWITCH
#endif

/* cordage_stack_root: the outermost frame of a stack. Nothing ever runs there; it is what the entry would return to, and
 * where unwinders find a root_frame at the stack pointer:
 *
 *    0  outside: where the pointer is to the context of whoever has entered this stack
 *
 * They go on from there in that context: the canonical frame address is its sp, and rip, rbp and rbx are found in
 * it. It is marked as a signal frame, or gdb would stop where the other stack lies at lower addresses, and unwinders
 * would look for the caller one byte before its pc. In a suspended stack the way ends here: the pointer is null, or the pc
 * behind it no address.
 *
 * Source: DWARF 5, sections 2.5 and 6.4.2; the numbers are those of the System V ABI, figure 3.36. */
    .globl  ROOT
    .p2align 4
#ifndef __APPLE__
    .type   ROOT, @function
#endif
ROOT:
    .cfi_startproc
    .cfi_signal_frame
    /* def_cfa_expression: breg7 (rsp) 0, deref, deref, deref */
    .cfi_escape 0x0f, 5, 0x77, 0, 0x06, 0x06, 0x06
    /* expression, rip (16): breg7 0, deref, deref, plus_uconst 16 */
    .cfi_escape 0x10, 16, 6, 0x77, 0, 0x06, 0x06, 0x23, 16
    /* expression, rbp (6) */
    .cfi_escape 0x10, 6, 6, 0x77, 0, 0x06, 0x06, 0x23, 8
    /* expression, rbx (3) */
    .cfi_escape 0x10, 3, 6, 0x77, 0, 0x06, 0x06, 0x23, 24
    nop
    .globl  ROOT_CALL
#ifdef __APPLE__
    .alt_entry ROOT_CALL
#else
    .type   ROOT_CALL, @function              /* without a size: gdb is to name this by ROOT */
#endif
ROOT_CALL:
    ud2
    .cfi_endproc
#ifndef __APPLE__
    .size   ROOT, .-ROOT
    .section .note.GNU-stack, "", @progbits
#endif
