/* AArch64, AAPCS64: where a stack begins, and the switch of include/cordage/context/switch_aarch64.hpp for callers that
 * cannot inline it.
 *
 *   machine_context { 0 sp, 8 fp, 16 pc, 24 x19 }
 *
 * cordage_switch_opaque(x0 message, x1 from, x2 to), gives x0 message
 *
 * The frame that a suspended caller leaves on its stack, from the saved sp upwards:
 *
 *     0  x30 (return address), x20
 *    16  x21 x22    32  x23 x24    48  x25 x26    64  x27 x28
 *    80  d8  d9     96  d10 d11   112  d12 d13   128  d14 d15
 *
 * x29 and x19 travel in the context itself. The way back is `br`, not `ret`: there is no matching call on this stack. Only
 * where branch targets are enforced it has to be `ret`, mispredicted as it is, since what follows a call is no target.
 *
 * Compiled for branch protection (-mbranch-protection=standard), this file does what its notes then claim of it: it signs
 * the return address that it keeps on the stack, and can be entered only at what is marked as a target. */
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
    .type   SWITCH, %function
#endif
SWITCH:
    .cfi_startproc
#ifdef __ARM_FEATURE_PAC_DEFAULT
    hint    #25                         /* paciasp, which is a target as bti c is */
    .cfi_negate_ra_state
#else
    hint    #34                         /* bti c */
#endif
    stp     x30, x20, [sp, #-144]!
    .cfi_def_cfa_offset 144
    .cfi_offset x30, -144
    .cfi_offset x20, -136
    stp     x21, x22, [sp, #16]
    .cfi_offset x21, -128
    .cfi_offset x22, -120
    stp     x23, x24, [sp, #32]
    .cfi_offset x23, -112
    .cfi_offset x24, -104
    stp     x25, x26, [sp, #48]
    .cfi_offset x25, -96
    .cfi_offset x26, -88
    stp     x27, x28, [sp, #64]
    .cfi_offset x27, -80
    .cfi_offset x28, -72
    stp     d8, d9, [sp, #80]
    stp     d10, d11, [sp, #96]
    stp     d12, d13, [sp, #112]
    stp     d14, d15, [sp, #128]
    adr     x16, 1f
    mov     x17, sp
    stp     x17, x29, [x1]
    stp     x16, x19, [x1, #16]
    ldp     x17, x29, [x2]
    ldp     x16, x19, [x2, #16]
    mov     sp, x17
    br      x16
1:
    hint    #36                         /* bti j */
    ldp     x21, x22, [sp, #16]
    .cfi_restore x21
    .cfi_restore x22
    ldp     x23, x24, [sp, #32]
    .cfi_restore x23
    .cfi_restore x24
    ldp     x25, x26, [sp, #48]
    .cfi_restore x25
    .cfi_restore x26
    ldp     x27, x28, [sp, #64]
    .cfi_restore x27
    .cfi_restore x28
    ldp     d8, d9, [sp, #80]
    ldp     d10, d11, [sp, #96]
    ldp     d12, d13, [sp, #112]
    ldp     d14, d15, [sp, #128]
    ldp     x30, x20, [sp], #144
    .cfi_restore x30
    .cfi_restore x20
    .cfi_def_cfa_offset 0
#ifdef __ARM_FEATURE_PAC_DEFAULT
    hint    #29                         /* autiasp */
    .cfi_negate_ra_state
#endif
#ifdef __ARM_FEATURE_BTI_DEFAULT
    ret
#else
    mov     x16, x30
    br      x16
#endif
    .cfi_endproc
#ifndef __APPLE__
    .size   SWITCH, .-SWITCH
#endif

/* cordage_stack_root: the outermost frame of a stack. Nothing ever runs there; it is what the entry would return to, and
 * where unwinders find a root_frame at the stack pointer:
 *
 *    0  outside: where the pointer is to the context of whoever has entered this stack
 *
 * They go on from there in that context: the canonical frame address is its sp, and pc, x29 and x19 are found in
 * it. It is marked as a signal frame, or gdb would stop where the other stack lies at lower addresses, and unwinders would
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
    /* def_cfa_expression: breg31 (sp) 0, deref, deref, deref */
    .cfi_escape 0x0f, 5, 0x8f, 0, 0x06, 0x06, 0x06
    /* expression, x30: breg31 0, deref, deref, plus_uconst 16 */
    .cfi_escape 0x10, 30, 6, 0x8f, 0, 0x06, 0x06, 0x23, 16
    /* expression, x29 */
    .cfi_escape 0x10, 29, 6, 0x8f, 0, 0x06, 0x06, 0x23, 8
    /* expression, x19 */
    .cfi_escape 0x10, 19, 6, 0x8f, 0, 0x06, 0x06, 0x23, 24
    nop
    .globl  ROOT_CALL
#ifdef __APPLE__
    .alt_entry ROOT_CALL
#else
    .type   ROOT_CALL, %function              /* without a size: gdb is to name this by ROOT */
#endif
ROOT_CALL:
    brk     #1
    .cfi_endproc
#ifndef __APPLE__
    .size   ROOT, .-ROOT
    .section .note.GNU-stack, "", %progbits
# ifdef __ARM_FEATURE_BTI_DEFAULT
#  define BTI 1
# else
#  define BTI 0
# endif
# ifdef __ARM_FEATURE_PAC_DEFAULT
#  define PAC 2
# else
#  define PAC 0
# endif
# if BTI | PAC
/* Says to the linker what the code does: without this note in every object, a program gets no BTI.
 *
 * Source: ELF for the Arm 64-bit Architecture, program property; GNU_PROPERTY_AARCH64_FEATURE_1_AND, bits BTI and PAC. */
    .section .note.gnu.property, "a", %note
    .p2align 3
    .word   4                           /* length of the name */
    .word   16                          /* length of what follows it */
    .word   5                           /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz  "GNU"
    .word   0xc0000000                  /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
    .word   4
    .word   BTI | PAC
    .word   0                           /* padding */
# endif
#endif
