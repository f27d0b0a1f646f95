#!/usr/bin/env python3
"""Builds and tests cordage for other machines than this one, and prints what ran there as the table of README.md.

    test_platforms.py                  the quick form, for every change
    test_platforms.py --all            everything; much longer
    test_platforms.py NAME…            those only, by name
    test_platforms.py --list           the names
    test_platforms.py --write …        also puts the table into README.md
    test_platforms.py --left …         runs nothing: the table of what the last runs have left in build/. For when one platform
                                       of many failed and was run again by its name
    test_platforms.py --self-test      sees that a table says what its results say

The rows of this machine come from `make test` and `make test-gcc`, which leave their results in build/. What the programs
need is installed by `tools/bootstrap.sh platforms`. The table says of which platform something could not be had. Exits with 1
where that is so, except of zig, where a test failed, and where fewer than nine in ten of this machine's tests ran on AArch64.
"""

import argparse
import collections
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
BEGIN, END = "<!-- platforms: tools/test_platforms.py --write -->", "<!-- /platforms -->"

# The programs whose tests depend on the machine and on what is optimized: stacks, frames, and what waits in them.
SWITCH = tuple("unit_" + name for name in (
    "backtrace", "coroutine", "fiber", "overflow", "stack", "switch", "switch_bad_days", "task"))
CORE = SWITCH + tuple("unit_" + name for name in (
    "async_generator", "c_frames", "coroutine_in_strands", "foreign", "generator", "stop", "suspend")) + ("no_exceptions",)


@dataclasses.dataclass(frozen=True)
class Platform:
    name: str
    title: str
    compiler: str    # clang, gcc or zig
    toolchain: str   # a file of cmake/toolchains
    flags: str
    emulator: str    # what runs the programs; empty where nothing does
    programs: tuple = ()   # of the tests; none named, all
    nightly: bool = False  # only with --all
    scope: str = ""        # what these are the tests of
    options: tuple = ()    # further ones for CMake
    sysroot: str = ""      # the function below that makes it


@dataclasses.dataclass
class Outcome:
    title: str
    compiler: str
    how: str
    passed: int = 0
    failed: list = dataclasses.field(default_factory=list)
    skipped: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by reason
    scope: str = ""  # what tests they are, where not all
    note: str = ""   # instead of numbers

    @property
    def run(self):
        return self.passed + len(self.failed)


def emulated(machine, name, title, compiler, flags, **more):
    return Platform(name, title, compiler, f"{machine}-linux", flags, f"qemu-{machine}", **more)


def macos(processor, part, **more):
    title = "macOS, Apple silicon" if processor == "aarch64" else "macOS, x86-64"
    return Platform(f"macos-{processor}-{part}", title, "zig", "macos-zig", "-O0 -g0 -fno-sanitize=undefined", "",
                    options=(f"-DCORDAGE_MACOS_PROCESSOR={processor}",), sysroot="macos_stubs", **more)


PROTECTED = "-O2 -DNDEBUG -mbranch-protection=standard -mno-outline-atomics"
ENFORCED = ("-DCORDAGE_BRANCH_PROTECTION=ON", "-DCORDAGE_EMULATOR=qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu max")
CORE_SCOPE = "of coroutines and of switching stacks"
ARM, RISC = "Linux, AArch64", "Linux, 64-bit RISC-V"
PLATFORMS = [
    # Two cores take less than ten minutes for these, most of it for the first.
    emulated("aarch64", "aarch64-clang-O2", ARM, "clang", "-O2 -DNDEBUG", sysroot="debian_packages"),
    emulated("aarch64", "aarch64-clang-switch-O0", ARM, "clang", "-O0", programs=SWITCH, scope="of switching stacks"),
    emulated("riscv64", "riscv64-clang-switch-O2", RISC, "clang", "-O2 -DNDEBUG", programs=SWITCH, scope="of switching stacks"),
    macos("aarch64", "examples", programs=("cordage_examples",)),
    # And these much longer.
    emulated("aarch64", "aarch64-clang-O0", ARM, "clang", "-O0", sysroot="debian_packages", nightly=True),
    emulated("aarch64", "aarch64-clang-protected", f"{ARM}, branch protection enforced", "clang", PROTECTED, programs=CORE,
             scope=CORE_SCOPE, options=ENFORCED, nightly=True),
    emulated("aarch64", "aarch64-gcc-protected", f"{ARM}, branch protection enforced", "gcc", PROTECTED, programs=CORE,
             scope=CORE_SCOPE, options=ENFORCED, nightly=True),
    emulated("aarch64", "aarch64-gcc-O0", ARM, "gcc", "-O0", programs=CORE, scope=CORE_SCOPE, nightly=True),
    emulated("riscv64", "riscv64-gcc-O2", RISC, "gcc", "-O2 -DNDEBUG", nightly=True),
    macos("aarch64", "all", nightly=True),
    macos("x86_64", "all", nightly=True),
]

# What else is proved of AArch64: (what is said of it, command). "{clang}" stands for the one that tests are built with.
CLANG = "{clang} --target=aarch64-linux-gnu"
LIBRARY = "build/platforms/aarch64-clang-O2/libcordage.a"
CHECKS = [
    ("resume and yield, clang", ["tools/count_switch.py", "--library", LIBRARY, CLANG, "qemu-aarch64"]),
    ("SVE's registers over a switch, clang", ["tools/test_sve.sh", CLANG]),
    ("SVE's registers over a switch, g++", ["tools/test_sve.sh", "aarch64-linux-gnu-g++"]),
    ("the switch for Apple", ["tools/check_switch_object.sh"]),
]
NIGHTLY_CHECKS = [
    ("resume and yield, g++", ["tools/count_switch.py", "aarch64-linux-gnu-g++", "qemu-aarch64"]),
    ("a real arm64 kernel", ["tools/run_in_kernel.sh", "build/platforms/aarch64-clang-O2", *CORE, "contract_backend",
                             "contract_transfer", "unit_sent_together", "unit_tcp", "unit_serve", "unit_signal", "unit_time",
                             "unit_worker"]),
]


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compilers_of(platform):
    """CC and CXX for the environment; zig is named by the toolchain file."""
    if platform.compiler == "zig":
        return {}
    if platform.compiler == "clang":
        chosen = output_of(str(ROOT / "tools/choose_compiler.sh"), "clang").split()
        return dict(word.split("=", 1) for word in chosen)
    triple = platform.emulator.replace("qemu-", "") + "-linux-gnu"
    return {"CC": f"{triple}-gcc", "CXX": f"{triple}-g++"}


def debian_packages(platform):
    """The libraries of other people that examples use, for that machine."""
    script = ROOT / "tools/foreign_packages.sh"
    directory = BUILD / "platforms/sysroot-arm64"
    subprocess.run([script, "arm64", directory, "libc-ares2", "libc-ares-dev", "libhiredis0.14", "libhiredis-dev",
                    "libsqlite3-0", "libsqlite3-dev"], check=True)
    return directory


def macos_stubs(platform):
    directory = BUILD / "platforms/macos-stubs"
    subprocess.run([ROOT / "tools/macos_stubs.sh", directory], check=True)
    return directory


def fetch_zig():
    """The folder of zig; None where it cannot be had."""
    fetched = subprocess.run([ROOT / "tools/fetch_zig.sh"], stdout=subprocess.PIPE, text=True)
    return fetched.stdout.strip() if fetched.returncode == 0 else None


def run_logged(log, *command, **options):
    """True if it succeeded; its output goes to the log and, where it failed, the end of that to the screen."""
    with open(log, "w") as into:
        ended = subprocess.run(command, stdout=into, stderr=subprocess.STDOUT, **options)
    if ended.returncode != 0:
        print(*command, f"failed, see {log}:", sep="\n  ")
        print("".join(open(log, errors="replace").readlines()[-40:]))
    return ended.returncode == 0


def build(platform, directory, environment, jobs):
    for of_an_earlier_run in "built", "tests.xml":
        (directory / of_an_earlier_run).unlink(missing_ok=True)
    sysroot = globals()[platform.sysroot](platform) if platform.sysroot else ""
    configured = run_logged(
        # From fresh: CMake would keep another compiler, or emulator, that the folder was configured with.
        directory.with_suffix(".configure.log"), "cmake", "--fresh", "-S", ROOT, "-B", directory, "-G", "Ninja",
        f"-DCMAKE_TOOLCHAIN_FILE={ROOT}/cmake/toolchains/{platform.toolchain}.cmake", f"-DCORDAGE_SYSROOT={sysroot}",
        f"-DCMAKE_C_FLAGS={platform.flags}", f"-DCMAKE_CXX_FLAGS={platform.flags}",
        f"-DCMAKE_ASM_FLAGS={platform.flags}", "-DCMAKE_BUILD_TYPE=",
        # What GCC 12 warns of wrongly differs by machine and level; `make test-gcc` sees to its other warnings.
        f"-DCORDAGE_WERROR={'OFF' if platform.compiler == 'gcc' else 'ON'}", "-DCORDAGE_BUILD_TESTS=ON",
        "-DCORDAGE_BUILD_BENCH=OFF", "-DCORDAGE_TEST_TIMEOUT=300",
        f"-DCORDAGE_PRECOMPILE_TESTS={'OFF' if platform.compiler == 'zig' else 'ON'}", *platform.options, env=environment)
    built = configured and run_logged(directory.with_suffix(".build.log"), "cmake", "--build", directory, "--parallel",
                                      str(jobs), "--target", *(platform.programs or ("all",)), env=environment)
    if built:
        (directory / "built").touch()
    return built


def reason_of(case):
    """Why a test was skipped: what it said itself, as GoogleTest prints it."""
    text = case.findtext("system-out") or ""
    said = re.search(r": Skipped\n(.+)", text)
    return said.group(1).strip() if said else "did not say why"


# The tests that are run once more with epoll, where there is io_uring. An emulator of user programs has epoll, so there they
# run so the first time.
ONCE_MORE = "on_epoll_"


def read_results(file, outcome):
    for case in xml.etree.ElementTree.parse(file).getroot().iter("testcase"):
        if case.get("status") == "run":
            outcome.passed += not case.get("name").startswith(ONCE_MORE)
        elif case.find("skipped") is not None and case.get("status") != "fail":
            outcome.skipped[reason_of(case)] += 1
        else:
            outcome.failed.append(case.get("name"))


def version_of(compiler):
    """"clang 19.1.7" of what a compiler says of itself."""
    first = output_of(compiler, "--version").splitlines()[0]
    name = "clang" if "clang" in first else "g++"
    return f"{name} {re.search(r'[0-9]+[.][0-9]+[.][0-9]+', first).group()}"


def linked_programs(directory):
    """The Mach-O files below it: (of the examples, of the tests)."""
    def count(folder):
        if not (directory / folder).is_dir():
            return 0
        files = [f for f in (directory / folder).iterdir() if f.is_file() and os.access(f, os.X_OK)]
        return sum(f.open("rb").read(4) == b"\xcf\xfa\xed\xfe" for f in files)
    return count("examples"), count("tests")


def run_tests(platform, directory, environment, jobs, results):
    """Whether all passed."""
    chosen = ["-R", "^(%s)[.]" % "|".join(platform.programs)] if platform.programs else []
    # Twice as many at once as there are cores: tests wait more than they work.
    return run_logged(directory.with_suffix(".test.log"), "ctest", "--test-dir", directory, "-j", str(2 * jobs), "-LE",
                      "long", "--no-tests=error", "--output-junit", results, *chosen, env=environment)


def test(platform, jobs, left):
    try:
        return build_and_test(platform, jobs, left)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{platform.name}: {error}", flush=True)
        return Outcome(platform.title, "", "", failed=["what it needs"], note="**what it needs could not be had**")


def build_and_test(platform, jobs, left):
    began = time.monotonic()
    directory = BUILD / "platforms" / platform.name
    directory.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    outcome = Outcome(platform.title, "", "")
    if platform.compiler == "zig":
        zig = fetch_zig()
        if zig is None:
            outcome.note = "skipped: zig, whose SDK is used, could not be had"
            return outcome
        environment.update(CORDAGE_ZIG=zig, ZIG_GLOBAL_CACHE_DIR=str(BUILD / "platforms/zig-cache"),
                           ZIG_LOCAL_CACHE_DIR=str(BUILD / "platforms/zig-cache"))
        outcome.compiler = f"zig {output_of(zig + '/zig', 'version').strip()}"
    else:
        environment.update(compilers_of(platform))
        outcome.compiler = version_of(environment["CXX"])
    level = platform.flags.split()[0]
    outcome.compiler += f" {level}"
    print(f"=== {platform.name}", flush=True)
    if not ((directory / "built").exists() if left else build(platform, directory, environment, jobs)):
        outcome.failed.append("the build")
        outcome.note = "**has not been built**" if left else "**does not build**"
    elif not platform.emulator:
        outcome.how = "compiled and linked, never executed"
        examples, tests = linked_programs(directory)
        if examples == 0:
            outcome.failed.append("no example was linked")
        outcome.note = f"the library, {examples} examples" + (f", {tests} test programs" if tests else "")
    else:
        version = re.search(r"version ([0-9.]+)", output_of(platform.emulator, "--version")).group(1)
        outcome.how = f"{platform.emulator} {version}"
        outcome.scope = platform.scope
        results = directory / "tests.xml"
        passed = left or run_tests(platform, directory, environment, jobs, results)
        if results.exists():
            read_results(results, outcome)
        if not outcome.run or (not passed and not outcome.failed):
            outcome.failed.append("ctest itself" if outcome.run else "no test ran")
    print(f"{time.monotonic() - began:5.0f} s  {platform.name}: {outcome.passed} passed, {len(outcome.failed)} failed, "
          f"{sum(outcome.skipped.values())} skipped", *outcome.failed[:20], sep="\n        ", flush=True)
    return outcome


def failed_checks(checks):
    clang = compilers_of(PLATFORMS[0])["CXX"]
    tools = dict(os.environ, LLVM_VERSION=clang.rpartition("-")[2])
    failed = 0
    for said, command in checks:
        ended = subprocess.run([word.format(clang=clang) for word in command], cwd=ROOT, env=tools, capture_output=True, text=True)
        print(f"{said}: {'' if ended.returncode == 0 else 'FAILED '}{(ended.stdout + ended.stderr).strip()}", flush=True)
        failed += ended.returncode != 0
    return failed


def this_machine():
    """What `make test` and `make test-gcc` have left."""
    for preset in "release", "gcc":
        stamp, results = BUILD / preset / "toolchain.txt", BUILD / preset / "tests.xml"
        if results.exists():
            compiler = re.search(r"CXX=([^,]*)", stamp.read_text()).group(1)
            outcome = Outcome(f"{os.uname().sysname}, {os.uname().machine}", version_of(compiler) + " -O2", "executed")
            read_results(results, outcome)
            yield outcome


def without_parts(outcomes):
    """Of those of one platform and compiler the one with the most tests: what --all runs contains what the quick form does."""
    largest = {}
    for each in outcomes:
        key = each.title, each.compiler
        if key not in largest or each.run >= largest[key].run:
            largest[key] = each
    return list(largest.values())


def table(outcomes):
    lines = ["| platform | compiler | how | tests run | skipped, and why |", "|---|---|---|---|---|"]
    for each in outcomes:
        why = "; ".join(f"{count}: {reason}" for reason, count in each.skipped.most_common())
        numbers = each.note or f"{each.run} {each.scope}".strip() + (f", **{len(each.failed)} failed**" if each.failed else "")
        lines.append(f"| {each.title} | {each.compiler} | {each.how} | {numbers} | {why} |")
    return "\n".join(lines) + "\n"


def write_into(page, text):
    whole = page.read_text()
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{page} has no place for the table: {BEGIN} … {END}")
    page.write_text(f"{before}{begin}\n{text}{end}{after}")


def enough_on_arm(here, outcomes):
    run_here = here[0].run if here else 0
    on_arm = max((each.run for each in outcomes if each.title == ARM), default=0)
    if run_here == 0:
        print("Which share of this machine's tests ran on AArch64 cannot be told: `make test` has left no results.")
        return on_arm > 0
    print(f"On AArch64 {on_arm} tests ran of the {run_here} on this machine: {100 * on_arm / run_here:.1f}% (at least 90%).")
    return on_arm >= 0.9 * run_here


def self_test():
    good = Outcome("A", "c 1", "executed", passed=3, skipped=collections.Counter({"no such call": 2}))
    bad = Outcome("B", "c 2", "emulated", passed=1, failed=["x.y"])
    lines = table([good, bad]).splitlines()
    assert lines[2] == "| A | c 1 | executed | 3 | 2: no such call |", lines[2]
    assert lines[3] == "| B | c 2 | emulated | 2, **1 failed** |  |", lines[3]
    assert lines[2] != table([dataclasses.replace(good, scope="of x")]).splitlines()[2]
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as results:
        results.write('<testsuite><testcase name="a.b" status="run"/><testcase name="on_epoll_a.b" status="run"/>'
                      '<testcase name="on_epoll_a.c" status="fail"/></testsuite>')
        results.flush()
        read = Outcome("C", "c 3", "executed")
        read_results(results.name, read)
        assert (read.passed, read.failed) == (1, ["on_epoll_a.c"]), read
    part, whole = Outcome("A", "c 1", "executed", passed=1, scope="of x"), Outcome("A", "c 1", "executed", passed=3)
    assert without_parts([part, bad, whole]) == without_parts([whole, bad, part]) == [whole, bad]
    on_arm = [Outcome(ARM, "", "", passed=9)]
    assert enough_on_arm([Outcome("here", "", "", passed=10)], on_arm)
    assert not enough_on_arm([Outcome("here", "", "", passed=11)], on_arm)
    assert not enough_on_arm([], []) and not enough_on_arm([Outcome("here", "", "", passed=10)], [])
    print("test_platforms.py: the table says what the results say")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--all", "--write", "--left", "--list", "--self-test"):
        arguments.add_argument(option, action="store_true")
    arguments.add_argument("names", nargs="*", metavar="NAME")
    asked = arguments.parse_args()
    known = [each.name for each in PLATFORMS]
    if asked.list:
        return print(*known, sep="\n")
    if asked.self_test:
        return self_test()
    if asked.write and asked.names:
        arguments.error("--write is for whole tables: no names with it")
    unknown = set(asked.names) - set(known)
    if unknown:
        arguments.error(f"no platform {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [p for p in PLATFORMS if p.name in asked.names or (not asked.names and (asked.all or not p.nightly))]

    jobs = os.cpu_count() or 1
    here = list(this_machine())
    outcomes = [test(platform, jobs, asked.left) for platform in chosen]
    text = table(without_parts(here + outcomes))
    print("\n" + text)
    (BUILD / "platforms/table.md").write_text(text)
    failed = sum(len(each.failed) for each in here + outcomes)
    if not asked.names and not asked.left:
        failed += failed_checks(CHECKS + NIGHTLY_CHECKS if asked.all else CHECKS)
    if not asked.names:
        failed += not enough_on_arm(here, outcomes)
    if asked.write:
        if failed or not here or any(each.note.startswith("skipped") for each in outcomes):
            sys.exit("README.md keeps its table: this one is of a failed run, not of all platforms, or without those of `make test`")
        write_into(ROOT / "README.md", text)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
