#!/usr/bin/env python3
"""Checks the house rules of the source tree: who may include whom, and what a file may look like.

    check_layers.py               checks the tree this script stands in
    check_layers.py --list N      lists the .hpp and .cpp files of layers 0 to N
    check_layers.py --self-test   makes one tree for every rule, breaks the rule in it, and sees that this is found
"""

import pathlib
import re
import sys
import tempfile

LAYERS = ["base", "context", "strands", "sync", "runtime", "io", "net"]  # folders; the index is the layer

# The layer of each header that stands directly in include/cordage. A new public header gets its entry here.
PUBLIC_HEADERS = {
    "result.hpp": 0,
    "frames.hpp": 0,
    "stack_options.hpp": 0,
    "async_generator.hpp": 2,
    "checked.hpp": 2,
    "coroutine.hpp": 2,
    "failure.hpp": 2,
    "fiber.hpp": 2,
    "generator.hpp": 2,
    "join_handle.hpp": 2,
    "stop.hpp": 3,
    "strand_local.hpp": 2,
    "suspend.hpp": 3,
    "task.hpp": 2,
    "barrier.hpp": 3,
    "broadcast.hpp": 3,
    "channel.hpp": 3,
    "events.hpp": 3,
    "guarded.hpp": 3,
    "latch.hpp": 3,
    "mutex.hpp": 3,
    "semaphore.hpp": 3,
    "shared_mutex.hpp": 3,
    "promise.hpp": 3,
    "scope.hpp": 3,
    "when.hpp": 3,
    "dump.hpp": 4,
    "runtime.hpp": 4,
    "spawn.hpp": 4,
    "std_stop.hpp": 4,
    "time.hpp": 4,
    "virtual_clock.hpp": 4,
    "buffered_reader.hpp": 5,
    "endpoint.hpp": 5,
    "standard_input.hpp": 6,
    "watched_descriptor.hpp": 6,
    "serve.hpp": 6,
    "signal.hpp": 6,
    "tcp.hpp": 6,
    "cordage.hpp": 7,
}

# The one header that knows compilers and platforms: it may use their macros, #if, and function-like macros.
CONFIG = "include/cordage/base/config.hpp"

# Other files that may contain #if, each with the reason why two files would be worse.
CONDITIONALS_ALLOWED = {
    "src/context/switch_aarch64.S": "ELF and Mach-O differ in the directives around the same instructions",
    "src/context/switch_x86_64.S": "ELF and Mach-O differ in the directives around the same instructions",
}

MAX_LINES = 500

PROSE_ROOTS = ["include", "src", "tests", "examples", "bench"]  # length of files, shape of headers
LAYERED_ROOTS = ["include", "src"]  # everything
SUFFIXES = {".hpp", ".h", ".cpp", ".c", ".S"}
HEADER_SUFFIXES = {".hpp", ".h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
CONDITIONAL = re.compile(r"^\s*#\s*(?:el)?if", re.MULTILINE)
FUNCTION_MACRO = re.compile(r"^\s*#\s*define\s+\w+\(", re.MULTILINE)
PLATFORM_MACRO = re.compile(r"\b(?:__linux__|__APPLE__|__x86_64__|__aarch64__|__SANITIZE\w*|__has_feature)\b")
GOTO = re.compile(r"\bgoto\b")
# `co_await !op` is the value or the caller's problem; the other way round it negates a result, which is true for a value.
NEGATED_AWAIT = re.compile(r"!\s*\(?\s*(?:co_await\b|(?:cordage::)?await\s*\()")
ASM_GOTO = re.compile(r"\b(?:asm|__asm__)\b(?:\s*(?:volatile|__volatile__|inline))*\s*goto\b")
PLATFORM_FILE = re.compile(r"_(?:x86_64|aarch64|riscv64|linux|darwin)[_.]")  # CMakeLists.txt knows the same names
COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<end>[^(\s]*)\(.*?\)(?P=end)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<!\w)'(?:\\.|[^'\\\n])*'", re.DOTALL)  # a ' after a digit separates digits


def blank(match):
    """What replaces a comment or a literal, so that line numbers stay."""
    return "\n" * match.group().count("\n")


def without_comments(text):
    return COMMENT_OR_LITERAL.sub(lambda m: blank(m) if m.group().startswith("/") else m.group(), text)


def code_only(text):
    return COMMENT_OR_LITERAL.sub(blank, text)


def layer_of(path):
    """The layer of a file by its path within the tree; None if it has none."""
    parts = path.split("/")
    below = parts[2:] if parts[:2] == ["include", "cordage"] else parts[1:] if parts[0] == "src" else []
    if len(below) >= 2 and below[0] in LAYERS:
        return LAYERS.index(below[0])
    if len(below) == 1 and parts[0] == "include":
        return PUBLIC_HEADERS.get(below[0])
    return None


def is_header(path):
    return pathlib.PurePath(path).suffix in HEADER_SUFFIXES


class Tree:
    """All files of one source tree, and the problems found in them."""

    def __init__(self, root):
        self.problems = []
        self.texts = {}
        self.includes = {}  # header -> headers of ours that it includes
        for top in PROSE_ROOTS:
            for file in sorted((root / top).rglob("*")):
                if file.suffix in SUFFIXES and file.is_file():
                    self.texts[file.relative_to(root).as_posix()] = file.read_text()

    def layered(self):
        return [path for path in self.texts if path.split("/")[0] in LAYERED_ROOTS]

    def report(self, path, message, text="", position=0):
        line = text.count("\n", 0, position) + 1 if text else 1
        self.problems.append(f"{path}:{line}: {message}")

    def check(self):
        for path, text in self.texts.items():
            self.check_shape(path, text)
            if not path.startswith("tools/"):
                self.check_awaits(path, code_only(text))
        for path in self.layered():
            self.check_code(path, code_only(self.texts[path]))
            self.check_includes(path, without_comments(self.texts[path]))
        self.check_cycles()
        return self.problems

    def check_awaits(self, path, code):
        for found in NEGATED_AWAIT.finditer(code):
            self.report(path, "a negated await: `co_await !op`, or look at the result", code, found.start())

    def check_shape(self, path, text):
        lines = text.count("\n")
        if lines > MAX_LINES:
            self.report(path, f"{lines} lines, more than {MAX_LINES}: it does more than one thing")
        if is_header(path):
            if not re.search(r"^#pragma once$", text, re.MULTILINE):
                self.report(path, "a header without #pragma once")
            opening = re.match(r"\s*(//[^\n]*|/\*.*?\*/)", text, re.DOTALL)
            if not opening or len(opening.group(1).split()) < 4:
                self.report(path, "a header begins with a comment that says what it is for")

    def check_code(self, path, code):
        if path == CONFIG:
            return
        if not PLATFORM_FILE.search(pathlib.PurePath(path).name):
            for match in PLATFORM_MACRO.finditer(code):
                self.report(path, f"{match.group()}: platforms differ by file; a fact about one belongs into {CONFIG}",
                            code, match.start())
        if path not in CONDITIONALS_ALLOWED:
            for match in CONDITIONAL.finditer(code):
                self.report(path, "#if outside the files that may have it", code, match.end())
        for match in FUNCTION_MACRO.finditer(code):
            self.report(path, "a function-like macro", code, match.end())
        for match in GOTO.finditer(ASM_GOTO.sub(lambda m: m.group().replace("goto", "    "), code)):
            self.report(path, "goto", code, match.start())

    def check_includes(self, path, text):
        layer = layer_of(path)
        if layer is None:
            self.report(path, "a public header that PUBLIC_HEADERS in tools/check_layers.py does not have"
                        if re.fullmatch(r"include/cordage/[^/]+", path) else "in no folder of a layer")
            return
        self.includes[path] = []
        for match in INCLUDE.finditer(text):
            target = self.resolve(path, match.group(1), match.group(2))
            if target is None:
                continue
            if target not in self.texts:
                self.report(path, f"includes {match.group(2)}, which is not there", text, match.start(2))
                continue
            if path.startswith("include/") and not target.startswith("include/"):
                self.report(path, f"a header that users get includes {target}, which they do not", text, match.start(2))
            target_layer = layer_of(target)
            if target_layer is not None and target_layer > layer:
                self.report(path, f"layer {layer} includes {target} of layer {target_layer}", text, match.start(2))
            if is_header(path):
                self.includes[path].append(target)

    def resolve(self, path, quote, name):
        """The file of ours that an #include names, whether it exists or not; None for the system's."""
        if name.startswith("cordage/"):
            return "include/" + name
        if quote == "<":
            return None
        beside = (pathlib.PurePosixPath(path).parent / name).as_posix()
        return beside if beside in self.texts else "src/" + name

    def check_cycles(self):
        done, trail = set(), []

        def visit(path):
            if path in trail:
                self.report(path, "includes itself: " + " -> ".join(trail[trail.index(path):] + [path]))
            elif path not in done:
                trail.append(path)
                for target in self.includes.get(path, []):
                    visit(target)
                done.add(trail.pop())

        for path in self.includes:
            visit(path)


def self_test():
    head = "// What this header is for.\n#pragma once\n"
    clean = {
        CONFIG: head + "#if defined(__linux__)\n#define CORDAGE_F(x) x\n#endif\n",
        "include/cordage/result.hpp": head + "#include <cordage/base/config.hpp>\n#include <vector>\n",
        "include/cordage/task.hpp": head + '#include "result.hpp"\n',
        "include/cordage/context/switch_x86_64.hpp": head + 'inline int a = sizeof(__x86_64__);\n'
                                                            'inline void s() { asm volatile goto("" :::: l); l:; }\n',
        "src/io/loop.hpp": head,
        "src/io/loop.cpp": '#include "io/loop.hpp"\n#include "loop.hpp"\n#include <cordage/task.hpp>\n'
                           '// #if goto __linux__\nint n = 1\'000; auto s = "goto"; char c = \'"\';\n',
        "examples/echo.cpp": "int main() {}\n",
    }
    violations = [  # what, the file that breaks the rule, its text, what must be found
        ("a lower layer includes a higher", "src/base/a.cpp", "#include <cordage/task.hpp>\n", "of layer 2"),
        ("a public header includes a higher one", "include/cordage/stop.hpp",
         head + "#include <cordage/cordage.hpp>\n", "of layer 7"),
        ("a cycle", "include/cordage/fiber.hpp", head + '#include "fiber.hpp"\n', "includes itself"),
        ("an include of nothing", "src/io/a.cpp", '#include "io/gone.hpp"\n', "not there"),
        ("a header for users includes one of ours", "include/cordage/net/a.hpp",
         head + '#include "io/loop.hpp"\n', "users get"),
        ("a public header without layer", "include/cordage/a.hpp", head, "PUBLIC_HEADERS"),
        ("a folder that is no layer", "src/detail/a.cpp", "int a;\n", "no folder of a layer"),
        ("a file that is in no folder", "src/a.cpp", "int a;\n", "no folder of a layer"),
        ("a platform macro", "src/io/a.cpp", "int a = sizeof(__has_feature);\n", "platforms differ by file"),
        ("a sanitizer macro", "src/io/a.cpp", "int a = __SANITIZE_ADDRESS__;\n", "platforms differ by file"),
        ("#if", "src/io/a.cpp", "#if 1\n#endif\n", "#if outside"),
        ("#ifdef", "src/io/a.cpp", "  #  ifdef A\n#endif\n", "#if outside"),
        ("a long file", "tests/unit/a_test.cpp", "int a;\n" * (MAX_LINES + 1), "lines, more than"),
        ("no #pragma once", "src/io/a.hpp", "// What this header is for.\n", "#pragma once"),
        ("no comment at the top", "src/io/a.hpp", "#pragma once\n// What this header is for.\n", "begins with"),
        ("an empty comment at the top", "src/io/a.hpp", "// a.hpp\n#pragma once\n", "begins with"),
        ("goto", "src/io/a.cpp", "void f() { goto end; end:; }\n", "goto"),
        ("a negated co_await", "examples/a.cpp", "task<> f() { if (!co_await x) g(); }\n", "a negated await"),
        ("a negated await", "tests/unit/a_test.cpp", "void f() { if (! await(x)) g(); }\n", "a negated await"),
        ("a function-like macro", "src/io/a.cpp", "#define F(x) x\n", "function-like macro"),
    ]
    umbrella = {"include/cordage/cordage.hpp": head}
    failures = []
    for what, path, text, expected in [("nothing", "src/io/a.cpp", "int a;\n", None)] + violations:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for name, content in (clean | umbrella | {path: text}).items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(content)
            problems = Tree(root).check()
        as_expected = not problems if expected is None else len(problems) == 1 and (
            problems[0].startswith(path) and expected in problems[0])
        if not as_expected:
            failures.append(f"{what}: expected {expected!r} alone, found {problems}")
    print("\n".join(failures) or f"self-test: {len(violations)} violations found, each alone")
    return 1 if failures else 0


def main():
    arguments = sys.argv[1:]
    tree_root = pathlib.Path(__file__).resolve().parent.parent
    if arguments == ["--self-test"]:
        return self_test()
    tree = Tree(tree_root)
    if len(arguments) == 2 and arguments[0] == "--list":
        for path in tree.layered():
            layer = layer_of(path)
            if layer is not None and layer <= int(arguments[1]) and path.endswith((".hpp", ".cpp")):
                print(path)
        return 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    problems = tree.check()
    if not tree.layered():
        problems.append("include/ and src/ have no files: a check that checks nothing is not a check")
    print("\n".join(problems) if problems else f"checked {len(tree.texts)} files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
