#!/usr/bin/env python3
"""Typical mistakes do not compile, and the first error says what to do.

    tools/check_mistakes.py COMPILER FILE...

Each file begins with a line `// says: TEXT`; TEXT has to be in the first error that the compiler prints. A second line
`// flags: FLAGS` is for what is a mistake with these flags, `// clang: FLAGS` for what only clang notices, with them.
"""

import subprocess
import sys


def first_error(compiler, flags, path):
    command = [*compiler.split(), "-std=c++2b", "-Iinclude", "-fsyntax-only", "-fno-color-diagnostics", *flags]
    if "clang" not in compiler:
        command[command.index("-fno-color-diagnostics")] = "-fdiagnostics-color=never"
    told = subprocess.run([*command, path], capture_output=True, text=True, check=False)
    if told.returncode == 0:
        return "(it compiles)"
    return next((line for line in told.stderr.splitlines() if "error:" in line), told.stderr)


def main(compiler, *paths):
    failed = 0
    skipped = 0
    for path in paths:
        with open(path, encoding="utf-8") as source:
            marker, _, text = source.readline().strip().partition("// says: ")
            second = source.readline().strip()
        if marker or not text:
            sys.exit(f"{path}: the first line has to be `// says: TEXT`")
        kind, _, flags = second.partition(": ")
        if kind == "// clang" and "clang" not in compiler:
            skipped += 1
            continue
        error = first_error(compiler, flags.split() if kind in ("// flags", "// clang") else [], path)
        if text not in error:
            failed += 1
            print(f"{path}: the first error should say: {text}\n  it is: {error}")
    checked = len(paths) - skipped
    print(f"checked {checked} mistakes, {failed} with another message; {skipped} are for clang")
    return 1 if failed or not checked else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
