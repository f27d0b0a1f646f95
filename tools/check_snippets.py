#!/usr/bin/env python3
"""README.md and docs/ quote the examples, which are compiled and run by the tests; this checks that they still do.

A quotation is a fenced block after a marker that names a file and a region of it:

    <!-- snippet: examples/echo_server.cpp#echo_task -->
    ```cpp
    ...
    ```

The block must equal what stands in the file between the lines `// [echo_task]` and `// [/echo_task]` (`#` in place of
`//` in scripts), without their common indentation. `--write` updates the blocks instead of checking them.
"""

import difflib
import pathlib
import re
import sys
import tempfile
import textwrap

MARKER = re.compile(r"^<!--\s*snippet:\s*(\S+)#([\w-]+)\s*-->\s*$")
ALMOST_MARKER = re.compile(r"<!--\s*snippet\b")
FENCE = re.compile(r"^(`{3,}|~{3,})")
REGION_LINE = re.compile(r"^\s*(?://|#)\s*\[(/?)([\w-]+)\]\s*$")


class Mistake(Exception):
    """Something in a page or a quoted file that the one who runs this has to put right."""


def region_of(root, path, name):
    """The lines of the region `name` in a file, as they are to be quoted."""
    file = root / path
    if not file.is_file():
        raise Mistake(f"there is no file {path}")
    found, lines, inside = 0, [], False
    for line in file.read_text().splitlines():
        edge = REGION_LINE.match(line)
        if edge and edge.group(2) == name:
            inside = not edge.group(1)
            found += inside
        elif inside and not edge:  # the edges of regions within this one are not quoted
            lines.append(line)
    if found != 1 or inside:
        raise Mistake(f"{path} must have one region // [{name}] … // [/{name}]; it has {found}"
                      + (", not closed" if inside else ""))
    return textwrap.dedent("\n".join(lines)).strip("\n").splitlines()


def update(root, text):
    """The page with every quotation as it should be, and how many quotations there are."""
    lines, result, count, at = text.splitlines(), [], 0, 0

    def copy_until_fence_ends(keep):
        nonlocal at
        closing = FENCE.match(lines[at]).group(1)
        result.append(lines[at])
        at += 1
        while at < len(lines) and lines[at].rstrip() != closing:
            if keep:
                result.append(lines[at])
            at += 1
        if at == len(lines):
            raise Mistake("a fenced block is not closed")

    while at < len(lines):
        marker = MARKER.match(lines[at])
        if marker:
            count += 1
            result.append(lines[at])
            at += 1
            if at == len(lines) or not FENCE.match(lines[at]):
                raise Mistake(f"the line after the marker of {marker.group(1)}#{marker.group(2)} must open a fence")
            copy_until_fence_ends(keep=False)
            result.extend(region_of(root, marker.group(1), marker.group(2)))
        elif FENCE.match(lines[at]):
            copy_until_fence_ends(keep=True)
        elif ALMOST_MARKER.search(lines[at]):
            raise Mistake(f"not a marker, though nearly: {lines[at].strip()}")
        result.append(lines[at])
        at += 1
    return "\n".join(result) + "\n", count


def run(root, write=False):
    """Checks or writes every page. Returns the problems found and the number of quotations."""
    problems, total = [], 0
    readme = root / "README.md"
    pages = ([readme] if readme.exists() else []) + sorted((root / "docs").glob("**/*.md"))
    for page in pages:
        name, old = page.relative_to(root), page.read_text()
        try:
            new, count = update(root, old)
        except Mistake as mistake:
            problems.append(f"{name}: {mistake}")
            continue
        total += count
        if write and new != old:
            page.write_text(new)
        elif count and new.splitlines() != old.splitlines():
            difference = difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"{name} (is)", f"{name} (should be)", lineterm="")
            problems.append("\n".join(difference) + "\ntools/check_snippets.py --write updates it")
    if total == 0 and readme.exists() and not problems:
        problems.append("README.md and docs/ have no snippet markers: a check that checks nothing is not a check")
    return problems, total


def self_test():
    """Each kind of problem is found, and --write repairs what can be repaired."""
    page = "# T\n<!-- snippet: a.cpp#f -->\n```cpp\n%s\n```\n"
    good = "  // [f]\n  int f() {\n    return 1;\n  }\n  // [/f]\n"
    quoted = "int f() {\n  return 1;\n}"
    cases = [
        ("a true quotation", page % quoted, good, None),
        ("a stale quotation", page % "int g();", good, "should be"),
        ("an unknown region", page % quoted, good.replace("[f]", "[g]"), "one region"),
        ("a region twice", page % quoted, good + good, "it has 2"),
        ("an open region", page % quoted, good.replace("// [/f]", ""), "not closed"),
        ("an unknown file", (page % quoted).replace("a.cpp", "b.cpp"), good, "no file"),
        ("a marker without a fence", "<!-- snippet: a.cpp#f -->\ntext\n", good, "must open a fence"),
        ("a marker that is misspelt", "<!-- snippet a.cpp#f -->\n```\n```\n", good, "nearly"),
        ("no marker", "# T\n", good, "checks nothing"),
    ]
    failures = []
    for what, readme, source, expected in cases:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / "README.md").write_text(readme)
            (root / "a.cpp").write_text(source)
            problems, _ = run(root)
            if (expected is None) != (not problems) or (expected and expected not in "\n".join(problems)):
                failures.append(f"{what}: expected {expected!r}, found {problems}")
            if what == "a stale quotation":
                run(root, write=True)
                if run(root)[0]:
                    failures.append("--write did not repair a stale quotation")
    print("\n".join(failures) or f"self-test: {len(cases)} cases as expected")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1:] not in ([], ["--write"]):
        print("usage: check_snippets.py [--write | --self-test]", file=sys.stderr)
        return 2
    problems, total = run(pathlib.Path(__file__).resolve().parent.parent, write="--write" in sys.argv)
    print("\n".join(problems) if problems else f"checked {total} snippets")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
