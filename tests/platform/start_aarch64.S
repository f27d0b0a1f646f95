/* Where a program for AArch64 Linux begins that is linked with -nostartfiles: the start files that come with a system may
 * not be made for BTI, and then a program in which branch targets are enforced ends before it has begun.
 *
 * Source: ELF for the Arm 64-bit Architecture, process initialization; the Linux Standard Base, __libc_start_main. */
    .text
    .globl  _start
    .p2align 2
    .type   _start, %function
_start:
    .cfi_startproc
    .cfi_undefined x30
    hint    #34                         /* bti c */
    mov     x29, #0
    mov     x30, #0
    mov     x5, x0                      /* what the dynamic linker wants to be called at the end */
    ldr     x1, [sp]                    /* argc, argv */
    add     x2, sp, #8
    mov     x6, sp
    adrp    x0, main
    add     x0, x0, :lo12:main
    mov     x3, #0                      /* neither _init nor _fini: what constructs is found in .init_array */
    mov     x4, #0
    bl      __libc_start_main
    brk     #1
    .cfi_endproc
    .size   _start, .-_start

    .data
    .globl  __dso_handle                /* names this program to __cxa_atexit */
    .hidden __dso_handle
    .p2align 3
__dso_handle:
    .xword  __dso_handle
    .section .note.GNU-stack, "", %progbits
