"""What is suspended, seen by gdb: in a running program and in a core file.

    (gdb) source tools/gdb/cordage.py
    (gdb) cordage strands           every fiber, coroutine and task: its name, its state, where it is suspended
    (gdb) cordage bt N              who waits for whom in number N, from the innermost wait outwards
    (gdb) cordage select N          goes to the frames of number N, where up, down, bt, info locals and print work
    (gdb) cordage select            back

Reads memory and nothing else, so the program may be stopped anywhere. Needs the debug information of the library and of
the program (-g). Fibers and coroutines are found in the slabs that hold all stacks (src/context/slab.hpp), tasks in the
groups of their workers (include/cordage/strands/strand_group.hpp), the children of combinators in the operation
that their parent waits for.
"""

import re

import gdb
from gdb.unwinder import Unwinder, register_unwinder

ROOT_OF_STACK = "cordage_stack_root"
# Functions that `cordage bt` leaves out at both ends of a stack; gdb does not yet demangle what has constraints.
OWN_NAMES = ("cordage::", "_ZN7cordage", "_ZZN7cordage", "non-virtual thunk to cordage::")
COMBINATORS = ("when_all", "when_any", "with_timeout", "with_stop")
INNER_OPERATION = ("cordage::detail::inner_operation<", "_ZN7cordage6detail15inner_operationI")
NO_CODE = 15  # smaller addresses are marks; see coroutine_base::at_rest
NOT_BEGUN, DEAD = 1, 3  # two of them
OWN_FILES = r"/include/cordage/|/src/(context|strands|sync|runtime|io|net)/[a-z_0-9]+\.cpp$"
STANDARD_NAMES = ("std::", "_ZSt", "_ZNSt")

# By gdb's names: stack pointer, program counter, and what a machine_context holds.
REGISTERS = {
    "i386:x86-64": ("rsp", "rip", {"rsp": "sp", "rbp": "fp", "rip": "pc", "rbx": "bx"}),
    "aarch64": ("sp", "pc", {"sp": "sp", "x29": "fp", "pc": "pc", "x19": "x19"}),
    "riscv:rv64": ("sp", "pc", {"sp": "sp", "fp": "fp", "pc": "pc", "s1": "s1"}),
}


# --- Objects in memory -----------------------------------------------------------------------------------------------
def type_of(name):
    try:
        return gdb.lookup_type("cordage::" + name)
    except gdb.error:
        raise gdb.GdbError(f"cordage: no debug information about cordage::{name}: build the library and the program "
                           "with -g")


def offset_of_base(derived, base):
    """In bytes; None where it is none."""
    if derived.name == base.name:
        return 0
    for field in derived.fields():
        if field.is_base_class:
            within = offset_of_base(field.type.strip_typedefs(), base)
            if within is not None:
                return field.bitpos // 8 + within
    return None


def find_member(whole, name):
    """The offset and the type of a member, also one of a base or of an unnamed union; None where there is none."""
    for field in whole.fields():
        if not hasattr(field, "bitpos"):
            continue  # static
        if field.name == name and not field.is_base_class:
            return field.bitpos // 8, field.type.strip_typedefs()
        if field.is_base_class or not field.name:
            found = find_member(field.type.strip_typedefs(), name)
            if found is not None:
                return field.bitpos // 8 + found[0], found[1]
    return None


class Object:
    """What lies at an address. gdb's own values would ask each object for its dynamic type, and warn where they do not
    know it: types of lambdas have other names in debug information than in symbols."""

    def __init__(self, address, kind):
        self.address = int(address)
        self.kind = (type_of(kind) if isinstance(kind, str) else kind).strip_typedefs()

    def __bool__(self):
        return self.address != 0

    def __eq__(self, other):
        return self.address == other.address

    def __hash__(self):
        return hash(self.address)

    def __getitem__(self, name):
        """A member: an object, or what a pointer to one points to; a number; the name of an enumerator."""
        offset, kind = find_member(self.kind, name)
        at = self.address + offset
        if kind.code == gdb.TYPE_CODE_STRUCT:
            return Object(at, kind)
        value = gdb.Value(at).cast(kind.pointer()).dereference()
        if kind.code == gdb.TYPE_CODE_PTR and kind.target().strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
            return Object(int(value), kind.target())
        return str(value).rsplit("::", 1)[-1] if kind.code == gdb.TYPE_CODE_ENUM else value

    def word(self):
        """The one word in an atomic or a coroutine_handle, whatever the standard library calls its members."""
        inner = self
        while isinstance(inner, Object):
            field = next(f for f in inner.kind.fields() if hasattr(f, "bitpos"))
            kind = field.type.strip_typedefs()
            inner = (Object(inner.address, kind) if kind.code == gdb.TYPE_CODE_STRUCT else
                     gdb.Value(inner.address).cast(kind.pointer()).dereference())
        return int(inner)

    def derived(self, name):
        kind = type_of(name).strip_typedefs()
        return Object(self.address - offset_of_base(kind, self.kind), kind)

    def base(self, name):
        kind = type_of(name).strip_typedefs()
        return Object(self.address + offset_of_base(self.kind, kind), kind)


def global_object(name, kind):
    """None where the program does not have it, or has neither debug information nor symbols."""
    found = gdb.lookup_static_symbol(f"cordage::{name}") or gdb.lookup_global_symbol(f"cordage::{name}")
    if found:
        return Object(int(found.value().address), kind or found.type)
    try:
        gdb.execute(f"info address cordage::{name}", to_string=True)
    except gdb.error:
        return None
    raise gdb.GdbError(f"cordage: no debug information about cordage::{name}: build the library and the program with -g")


def text_of(name):
    """Of a short_name."""
    length = int(name["length"])
    return bytes(int(name["text"][i]) & 0xFF for i in range(length)).decode(errors="replace")


def elements(intrusive_list, name):
    root = intrusive_list["root_"]
    at = root["next_"]
    while at != root:
        yield at.derived(name)
        at = at["next_"]


# --- Symbols ---------------------------------------------------------------------------------------------------------
def symbol_at(address):
    """The demangled name of what is there, or an empty text."""
    told = gdb.execute(f"info symbol {int(address):#x}", to_string=True)
    return "" if told.startswith("No symbol") else re.sub(r"( \+ \d+)? in section .*", "", told).strip()


def coroutine_name(resume):
    """Of the coroutine that is resumed there: compilers make up functions named after it."""
    name = re.sub(r" ?\[clone [^]]*\]", "", symbol_at(resume))
    named_twice = re.fullmatch(r"(.+)\((\1.*)::_Z\w+\.Frame ?\*\)", name)  # by g++, in the type of the frame
    if named_twice:
        name = named_twice[2]
    return name or f"{int(resume):#x}"


def place_of(sal):
    return f" at {sal.symtab.filename}:{sal.line}" if sal.symtab else ""


def is_own(name, function, more=()):
    """Whether it is a function of the library, or one of those. g++ calls each lambda operator(): its file tells."""
    return name.startswith(OWN_NAMES + more) or (
        function is not None and re.search(OWN_FILES, function.symtab.fullname()) is not None)


def function_around(pc):
    """The innermost function there that is not the library's own but had that inlined."""
    try:
        block = gdb.block_for_pc(int(pc))
    except RuntimeError:
        block = None
    name = ""
    while block is not None and not block.is_global and not block.is_static:
        if block.function is not None:
            name = block.function.print_name
            if not is_own(name, block.function):
                break
        block = block.superblock
    return name or symbol_at(pc)


# --- What there is ---------------------------------------------------------------------------------------------------
class Stackful:
    """A fiber or a coroutine, by its stack."""

    def __init__(self, stack):
        self.stack = stack
        self.control = stack["occupant"]
        self.kind = self.control["kind_"]
        self.whole = self.control.derived(f"detail::{self.kind}_base")
        self.name = text_of(stack["name"]) if self.control["named_"] else "unnamed"

    def entered(self):
        outside = self.control["outside_"]
        return bool(outside) and int(outside["pc"]) > NO_CODE

    def begun(self):
        if self.kind == "fiber":
            return bool(self.whole["begun_"])
        return int(self.whole["resumer_"]["pc"]) != NOT_BEGUN

    def ended(self):
        if self.kind == "fiber":
            return bool(self.whole["finished_"])
        return int(self.whole["resumer_"]["pc"]) == DEAD

    def suspended(self):
        return self.begun() and not self.ended() and not self.entered()

    def contains(self, address):
        return int(self.stack["low"]) <= address < self.stack.address

    def state(self, world):
        if not self.begun():
            return "not begun"
        if self.ended():
            return "ended"
        if self.kind == "fiber":
            return "running" if self.entered() else "waits for " + self.whole["type"]["waits_for"].string()
        if not self.entered():
            return "suspended"
        for other in world.stackfuls:
            if other.kind == "fiber" and other.whole["coroutine"] == self.whole:
                return f'waits with fiber "{other.name}"'
            if other.kind == "coroutine" and other.entered() and self.contains(int(other.whole["resumer_"]["sp"])):
                return f'normal, has resumed coroutine "{other.name}"'
        return "running"

    def place(self, world):
        return "in " + function_around(self.control["self_"]["pc"]) if self.suspended() else ""

    def chain(self, world):
        if self.kind == "fiber" and self.suspended():
            whole = world.chain_of_strand(self.whole["on"])
            if self in whole:
                return whole
        for fiber in world.fiber_of.values():
            if fiber.whole["coroutine"] == self.whole:
                return fiber.chain(world)
        return [self]


class Task:
    """A strand that was spawned stackless."""

    kind = "task"
    stopping, ended = 1, 2  # bits of the strand's word

    def __init__(self, strand, parent=None):
        self.strand = strand
        self.parent = parent  # the strand whose combinator it is part of
        self.name = text_of(strand["name_"]) if strand["name_"] else "unnamed"

    def state(self, world):
        word = self.strand["word_"].word()
        if word & Task.ended:
            return "ended"
        wait = self.strand["waiting_on"]
        doing = "waits for " + wait["type"]["waits_for"].string() if wait else "running or ready"
        return doing + (", to stop" if word & Task.stopping else "")

    def chain(self, world):
        return world.chain_of_strand(self.strand)

    def place(self, world):
        chain = self.chain(world)
        outermost = chain[-1] if chain else None
        place = "in " + outermost.function() if isinstance(outermost, CoroutineFrame) else ""
        if outermost is not None and not place:
            place = outermost.place(world)
        return f"{place}  for {world.number_of_strand(self.parent)}".strip() if self.parent else place


class CoroutineFrame:
    """The frame of a stackless coroutine: where it is resumed, where it is destroyed, its promise."""

    def __init__(self, address):
        self.address = address

    def resume(self):
        return gdb.Value(self.address).cast(gdb.lookup_type("unsigned long").pointer()).dereference()

    def function(self):
        return coroutine_name(self.resume())

    def link(self):
        return Object(self.address + 16, "detail::promise_base")["link"]

    def describe(self):
        return self.function() + place_of(gdb.find_pc_line(int(self.resume())))


class World:
    """Everything there is at the moment."""

    def __init__(self):
        self.stackfuls = list(self.find_stackfuls())
        self.fiber_of = {f.whole.base("resumable"): f for f in self.stackfuls if f.kind == "fiber"}
        strands = [(strand, None) for strand in self.find_strands()]
        for strand, _ in strands:  # grows meanwhile
            strands += [(child, strand) for child in self.children_of(strand)]
        self.tasks = [Task(*each) for each in strands if each[0]["kind_"] == "task"]
        self.all = self.stackfuls + self.tasks

    def number_of_strand(self, strand):
        """A spawned fiber's strand lies on its stack."""
        return next((number for number, each in enumerate(self.all, 1) if
                     (each.strand == strand if isinstance(each, Task) else each.contains(strand.address))), 0)

    def children_of(self, strand):
        """Those of the combinator that it waits for; they are in no group."""
        wait = strand["waiting_on"]
        if not wait or wait["type"]["waits_for"].string() not in COMBINATORS:
            return
        combinator = self.operation_of(wait)
        child = combinator["first_"] if combinator else None
        while child:
            yield child.base("detail::strand")
            child = child["next_child"]

    def operation_of(self, wait):
        """The combinator that is waited for with the node; None where it is not found: it begins with its vtable."""
        as_resumable = wait.base("resumable")
        run = symbol_at(as_resumable["run"])
        if as_resumable in self.fiber_of:
            at = int(self.fiber_of[as_resumable].whole["operation"])
        elif run.startswith(INNER_OPERATION):
            at = wait.address + type_of("detail::inner_node" if "inner_node" in run else "detail::wait").sizeof
        else:
            at = wait.address + type_of("detail::coroutine_node<cordage::detail::wait>").sizeof
        try:
            for _ in range(2):  # it may be kept as a reference
                first_word = int(gdb.Value(at).cast(gdb.lookup_type("unsigned long").pointer()).dereference())
                if symbol_at(first_word).startswith(("vtable for ", "_ZTV")):
                    return Object(at, "detail::combinator")
                at = first_word
        except gdb.MemoryError:
            pass
        return None

    def numbered(self, text):
        if not self.all:
            raise gdb.GdbError("cordage: there is no fiber, coroutine or task")
        if not re.fullmatch(r"\d+", text) or not 1 <= int(text) <= len(self.all):
            raise gdb.GdbError(f"cordage: give a number from 1 to {len(self.all)}, as `cordage strands` shows it")
        return self.all[int(text) - 1]

    @staticmethod
    def find_stackfuls():
        newest = global_object("detail::slab::newest", None)
        slab = Object(newest.word() if newest else 0, "detail::slab") if newest else None
        colours, step = 48, 64
        while slab:
            base, stride = int(slab["base"]), int(slab["stride"])
            for i in range(int(slab["count"])):
                top = base + (i + 1) * stride - step * (i % colours)
                stack = Object(top - type_of("detail::stack").sizeof, "detail::stack")
                if stack["occupant"]:
                    yield Stackful(stack)
            slab = slab["older"]

    @staticmethod
    def find_strands():
        registry = global_object("detail::all_workers", None)
        if registry is None:
            return
        for worker in elements(registry["workers"], "detail::worker"):
            for group in elements(worker["groups_"], "detail::strand_group"):
                yield from elements(group["children_"], "detail::strand")

    def chain_of_strand(self, strand):
        """From the strand's innermost wait outwards: coroutine frames and fibers."""
        at = self.whose(strand["waiting_on"]) if strand["waiting_on"] else None
        links = []
        while at is not None:
            links.append(at)
            at = self.waiter_of(at)
        return links

    def waiter_of(self, at):
        """Who awaits a coroutine frame or a fiber; None where the strand begins."""
        if isinstance(at, CoroutineFrame):
            link = at.link()
            continuation = link["continuation"].word()
            if continuation:
                return CoroutineFrame(continuation)
            if "waiting_root::" not in symbol_at(link.derived("detail::root_link")["ended"]):
                return None
            return self.whose(link.derived("detail::waiting_root")["waiter_"])
        if at.contains(at.whole["on"].address):  # spawned, with its strand; not awaited
            return None
        return self.whose(at.whole.derived("detail::waited_for_fiber")["waiter"]["node"])

    def whose(self, node):
        """The fiber or the coroutine that waits with a node, a resumable or a wait."""
        as_resumable = node.base("resumable")
        if as_resumable in self.fiber_of:
            return self.fiber_of[as_resumable]
        run = symbol_at(as_resumable["run"])
        if run.startswith(INNER_OPERATION):
            inner = as_resumable.derived("detail::inner_node")
            return self.whose(inner["waiter"]["node"]) if "inner_node" in run else None
        if "awaiter<" not in run:
            return None
        return CoroutineFrame(node.derived(f"detail::coroutine_node<{node.kind}>")["waiter_"].word())


# --- Frames of a suspended stack -------------------------------------------------------------------------------------
class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class SuspendedStack(Unwinder):
    """Puts the frames of a suspended stack behind the newest frame of the selected thread."""

    context = None
    newest = None

    def __init__(self):
        super().__init__("cordage")

    def __call__(self, pending):
        registers = REGISTERS.get(pending.architecture().name())
        if self.context is None or registers is None:
            return None
        sp, pc, saved = registers
        here = FrameId(pending.read_register(sp), pending.read_register(pc))
        if self.newest is None:
            self.newest = int(here.sp)
        if int(here.sp) != self.newest:
            return None
        unwound = pending.create_unwind_info(here)
        for register, member in saved.items():
            unwound.add_saved_register(register, self.context[member])
        return unwound

    def redirect(self, context):
        self.context, self.newest = context, None
        gdb.invalidate_cached_frames()


unwinder = SuspendedStack()
register_unwinder(None, unwinder, replace=True)


def first_suspended_frame():
    """The frame behind the newest one of the selected thread, which may have functions inlined into it."""
    frame = gdb.newest_frame()
    while frame.type() == gdb.INLINE_FRAME:
        frame = frame.older()
    return frame.older()


def arguments_of(frame):
    """Scalars by their values, the rest as dots."""
    block = frame.block()
    while block.function is None:
        block = block.superblock
    shown = []
    for symbol in block:
        if symbol.is_argument:
            try:
                value = symbol.value(frame)
                text = value.format_string() if value.type.strip_typedefs().is_scalar else "..."
            except gdb.error:
                text = "<optimized out>"
            shown.append(f"{symbol.name}={text}")
    return ", ".join(shown)


def describe_frame(frame):
    """Its function's name and symbol, and how it is shown."""
    name = frame.name() or f"{frame.pc():#x}"
    try:
        call = name if name.endswith((")", ") const")) else f"{name}({arguments_of(frame)})"
    except RuntimeError:  # no debug information there
        call = name
    return name, frame.function(), call + place_of(frame.find_sal())


def users_frames(frames):
    """Without the library's own at both ends, unless there are no others."""
    first, last = 0, len(frames)
    while first < last and is_own(*frames[first][:2]):
        first += 1
    while last > first and is_own(*frames[last - 1][:2], STANDARD_NAMES):
        last -= 1
    return frames[first:last] or frames


def backtrace(stackful):
    """One line for each frame of a suspended stack, and of those that have entered it."""
    before = unwinder.context
    unwinder.redirect(stackful.control["self_"])
    stacks = [[]]
    try:
        at = first_suspended_frame()
        while at is not None and at.is_valid() and at.pc() > NO_CODE:
            if at.name() == ROOT_OF_STACK:
                stacks.append([])
            else:
                stacks[-1].append(describe_frame(at))
            at = at.older()
    except gdb.error:  # the root of a suspended fiber's stack leads nowhere
        pass
    finally:
        unwinder.redirect(before)
    return [line for frames in stacks for *_, line in users_frames(frames)]


# --- Commands --------------------------------------------------------------------------------------------------------
def in_cplusplus(invoke):
    """gdb looks names up as the selected frame's language does: from within abort(), which is C, it would find none of ours."""

    def invoke_so(self, argument, from_tty):
        before = gdb.parameter("language")
        gdb.execute("set language c++", to_string=True)
        try:
            invoke(self, argument, from_tty)
        finally:
            gdb.execute(f"set language {before}", to_string=True)

    return invoke_so


class Cordage(gdb.Command):
    """Fibers, coroutines and tasks of cordage: cordage strands, cordage bt N, cordage select N."""

    def __init__(self):
        super().__init__("cordage", gdb.COMMAND_STACK, prefix=True)


class Strands(gdb.Command):
    """Lists every fiber, coroutine and task with its number, name and state."""

    def __init__(self):
        super().__init__("cordage strands", gdb.COMMAND_STACK)

    @in_cplusplus
    def invoke(self, argument, from_tty):
        world = World()
        if not world.all:
            print("There is no fiber, coroutine or task" + (
                "." if global_object("detail::slab::newest", None) else ", or the program has no debug information: build with -g."))
        for number, each in enumerate(world.all, 1):
            print(f"{number:>4}  {each.kind:<9}  {each.name:<29}  {each.state(world)}  {each.place(world)}".rstrip())


class Backtrace(gdb.Command):
    """Shows who waits for whom in a fiber, a coroutine or a task, from the innermost wait outwards: cordage bt N."""

    def __init__(self):
        super().__init__("cordage bt", gdb.COMMAND_STACK)

    @in_cplusplus
    def invoke(self, argument, from_tty):
        world = World()
        each = world.numbered(argument.strip())
        print(f'{each.kind} "{each.name}": {each.state(world)}')
        lines = []
        for link in each.chain(world):
            if isinstance(link, CoroutineFrame):
                lines.append(link.describe())
            elif link.suspended():
                lines += backtrace(link)
        for number, line in enumerate(lines):
            print(f"#{number} {line}")
        if not lines:
            print("It has no frames that are suspended.")


class Select(gdb.Command):
    """Goes to the frames of a suspended fiber or coroutine: cordage select N. Without N: back to the thread's own."""

    def __init__(self):
        super().__init__("cordage select", gdb.COMMAND_STACK)

    @in_cplusplus
    def invoke(self, argument, from_tty):
        if not argument.strip():
            unwinder.redirect(None)
            return
        chosen = World().numbered(argument.strip())
        if not isinstance(chosen, Stackful) or not chosen.suspended():
            raise gdb.GdbError("cordage: only a suspended fiber or coroutine has frames to select")
        unwinder.redirect(chosen.control["self_"])
        frame = first_suspended_frame()
        while frame.older() is not None and is_own(frame.name() or "", frame.function()):
            frame = frame.older()
        frame.select()
        gdb.execute("frame", from_tty)


gdb.events.cont.connect(lambda _: unwinder.redirect(None))
Cordage()
Strands()
Backtrace()
Select()
