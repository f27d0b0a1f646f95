#!/usr/bin/env python3
"""Counts the instructions of one resume and one yield of a coroutine, as executed by an emulator.

    count_switch.py [--listing] [--most N] [--library FILE] COMPILER EMULATOR...

    count_switch.py aarch64-linux-gnu-g++-12 qemu-aarch64
    count_switch.py "clang++-19 --target=aarch64-linux-gnu" qemu-aarch64

Compiles bench/resume_yield_rounds.cpp with -O2, and lets qemu-user, executing one instruction at a time, write down where
each of them lies. The count is how many more instructions twice as many rounds take, by round. Fails if that is more than
60, or N. The library is compiled as well where FILE, built with -O2, is not given. --listing prints the instructions of a round, disassembled by llvm-objdump-19.
"""

import argparse
import collections
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLATFORMS = ("x86_64", "aarch64", "riscv64", "linux", "darwin")
ROUNDS = 160
EXECUTED = re.compile(rb"^Trace \d+: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/", re.MULTILINE)


def sources(machine):
    """Of the layers below the runtime, those for this machine; a coroutine needs no more."""
    for layer in ("base", "context", "strands"):
        for path in sorted((ROOT / "src" / layer).glob("*.*")):
            others = (name for name in PLATFORMS if name not in (machine, "linux"))
            if path.suffix in (".cpp", ".S") and not any(f"_{name}." in path.name for name in others):
                yield path


def build(compiler, library, program):
    machine = subprocess.run([*compiler, "-dumpmachine"], check=True, capture_output=True, text=True).stdout.split("-")[0]
    main = ROOT / "bench" / "resume_yield_rounds.cpp"
    # Linked at fixed addresses, which the listing needs. What no coroutine calls may be missing.
    subprocess.run([*compiler, "-std=c++2b", "-O2", "-static", "-no-pie", "-w", "-ffunction-sections", "-Wl,--gc-sections",
                    f"-I{ROOT}/include", f"-I{ROOT}/src", main, *([library] if library else sources(machine)), "-o", program], check=True)


def executed(emulator, program, rounds):
    """The addresses of the instructions of a run, one after another."""
    trace = program.with_suffix(".trace")
    subprocess.run([*emulator, "-singlestep", "-d", "exec,nochain", "-D", trace, program, str(rounds)], check=True)
    return [int(address, 16) for address in EXECUTED.findall(trace.read_bytes())]


def listing(program, addresses):
    """The instructions of one round: from one execution to the next of what is executed once in a round."""
    text = subprocess.run(["llvm-objdump-19", "-d", "--no-show-raw-insn", program], check=True, capture_output=True,
                          text=True).stdout
    at = {int(line.split(":")[0], 16): line.split(":", 1)[1].strip().replace("\t", " ")
          for line in text.splitlines() if re.match(r" *[0-9a-f]+:", line)}
    # Late enough for rounds to be all alike, and begun where the switch in leads: at a jump through a register.
    switches = [i for i, address in enumerate(addresses) if re.match(r"br |jr |jmp.*\*", at.get(address, ""))]
    times = collections.Counter(addresses)
    middle = [i for i in switches if times[addresses[i]] in range(ROUNDS // 16 - 1, ROUNDS // 16 + 2)]
    begin = middle[len(middle) // 2]
    end = addresses.index(addresses[begin], begin + 1)
    return [at[address] for address in addresses[begin + 1:end + 1]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listing", action="store_true")
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--library")
    parser.add_argument("compiler", type=shlex.split)
    parser.add_argument("emulator", nargs="+")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        program = pathlib.Path(directory) / "resume_yield_rounds"
        build(given.compiler, given.library, program)
        few = executed(given.emulator, program, ROUNDS)
        per_round = (len(executed(given.emulator, program, 2 * ROUNDS)) - len(few)) / ROUNDS
        if given.listing:
            print("\n".join(listing(program, few)))
    print(f"{per_round:.2f} instructions per resume and yield, at most {given.most}")
    return 0 if 0 < per_round <= given.most else 1


if __name__ == "__main__":
    sys.exit(main())
