#!/usr/bin/env python3
"""tests/sentences.md says of each promise where it is shown; this checks that what it names exists.

Rows have two columns. The right one names, in backquotes and separated by spaces or commas,

    suite.name                tests in tests/**/*_test.cpp: TEST, TEST_F or TEST_P
    tests/mistakes/X.cpp      files
    lifetime_warnings         other tests of ctest, by the name that tests/CMakeLists.txt gives them

or says `not built yet`, without backquotes and with nothing else.
"""

import pathlib
import re
import sys
import tempfile

TEST = re.compile(r"^\s*TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
CTEST = re.compile(r"add_test\(NAME (\w+)")
NAME = re.compile(r"`([^`]+)`")
NOT_BUILT = "not built yet"


def problems_of_row(root, known, left, right):
    """What is wrong with one row."""
    if not left or not right:
        return ["a column is empty"]
    if right == NOT_BUILT:
        return []
    if NAME.sub("", right).strip(" ,") or not NAME.search(right):
        return [f"neither names in backquotes nor `{NOT_BUILT}`: {right}"]
    names = NAME.findall(right)
    problems = [f"named twice: {name}" for name in dict.fromkeys(names) if names.count(name) > 1]
    for name in names:
        exists = (root / name).is_file() if "/" in name else name in known
        if not exists:
            problems.append(f"there is no {name}")
    return problems


def run(root):
    """Returns the problems found, the number of rows, and that of rows which are not built yet."""
    known = set(CTEST.findall((root / "tests/CMakeLists.txt").read_text()))
    for source in sorted((root / "tests").glob("**/*_test.cpp")):
        known.update(f"{suite}.{name}" for suite, name in TEST.findall(source.read_text()))
    problems, rows, not_built = [], 0, 0
    in_table = False
    for number, line in enumerate((root / "tests/sentences.md").read_text().splitlines(), 1):
        if not line.startswith("|"):
            in_table = False
            continue
        if re.fullmatch(r"\|[-| ]+\|", line):
            in_table = True
            continue
        if not in_table:
            continue  # the head of a table
        rows += 1
        columns = [column.strip() for column in line.strip().strip("|").split("|")]
        if len(columns) != 2:
            found = [f"{len(columns)} columns instead of 2"]
        else:
            found = problems_of_row(root, known, *columns)
            not_built += columns[1] == NOT_BUILT
        problems += [f"tests/sentences.md:{number}: {problem}" for problem in found]
    if rows == 0:
        problems.append("tests/sentences.md has no rows: a check that checks nothing is not a check")
    return problems, rows, not_built


def self_test():
    """Each kind of problem is found."""
    head = "| what | where |\n|---|---|\n"
    cases = [
        ("a test", head + "| it works | `thing.works` |\n", None),
        ("tests, a file and a ctest", head + "| all | `thing.works`, `thing.fits` `a/b.cpp` `other_check` |\n", None),
        ("what is for later", head + "| later | not built yet |\n", None),
        ("an unknown test", head + "| it works | `thing.worked` |\n", "there is no thing.worked"),
        ("an unknown file", head + "| it works | `a/c.cpp` |\n", "there is no a/c.cpp"),
        ("a test that is commented out", head + "| it works | `thing.used_to` |\n", "there is no thing.used_to"),
        ("an empty right column", head + "| it works | |\n", "empty"),
        ("an empty left column", head + "| | `thing.works` |\n", "empty"),
        ("other words", head + "| it works | `thing.works` and more |\n", "neither"),
        ("not built, and a name", head + "| it works | not built yet `thing.works` |\n", "neither"),
        ("a name twice", head + "| it works | `thing.works` `thing.works` |\n", "twice"),
        ("three columns", head + "| it | works | `thing.works` |\n", "3 columns"),
        ("no table", "text\n", "checks nothing"),
    ]
    failures = []
    for what, text, expected in cases:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / "tests").mkdir()
            (root / "a").mkdir()
            (root / "a/b.cpp").touch()
            (root / "tests/CMakeLists.txt").write_text("add_test(NAME other_check COMMAND x)\n")
            (root / "tests/thing_test.cpp").write_text(
                "TEST(thing, works) {}\n  TEST_P(thing, fits) {}\n// TEST(thing, used_to) {}\n")
            (root / "tests/sentences.md").write_text(text)
            problems = run(root)[0]
            if (expected is None) != (not problems) or (expected and expected not in "\n".join(problems)):
                failures.append(f"{what}: expected {expected!r}, found {problems}")
    print("\n".join(failures) or f"self-test: {len(cases)} cases as expected")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1:]:
        print("usage: check_sentences.py [--self-test]", file=sys.stderr)
        return 2
    problems, rows, not_built = run(pathlib.Path(__file__).resolve().parent.parent)
    print("\n".join(problems) if problems else f"checked {rows} rows, of which {not_built} are not built yet")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
