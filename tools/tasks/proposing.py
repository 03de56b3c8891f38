"""A task proposed from a kernel: what its signature and its host code say, and what is left to be said."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.errors import UsageError
from tools.kernel.host_code import HostLaunch, host_launches, without_host_code
from tools.kernel.source_signatures import SourceParameter, source_signatures
from tools.tasks.c_expressions import Kind, UnreadableError
from tools.tasks.drafted_reference import CParameter
from tools.tasks.own_launch import OwnLaunch, own_launch
from tools.tasks.task import Case, TaskArgument, WholeTask
from tools.tasks.transcribing import transcribe

_BLOCK = 256
_SIDE = 16
_TESTS = {1: ((1,), (31,), (1000,), (4099,)), 2: ((1, 1), (3, 33), (64, 100))}
_BENCH = {1: (1 << 20,), 2: (1024, 1024)}
_AWKWARD = (1, 3, 33)
_NO_NAMES = frozenset(
    (
        *(
            "const",
            "volatile",
            "__restrict__",
            "restrict",
            "unsigned",
            "signed",
            "char",
            "short",
            "int",
            "long",
        ),
        *("float", "double", "half", "bool", "void"),
    )
)
"""Words that end a parameter without a name."""
_REFERENCE = '''\
def reference({names}):
    """What the kernel computes, in NumPy: a dict from each output's name to its values."""
    raise NotImplementedError("say here what {outputs} must hold")
'''


@dataclass(frozen=True)
class Proposal:
    """A task that is as good as its guesses.

    Attributes:
        notes: What was guessed, and what is missing.
        unread: Why its reference could not be drafted, and is to be written; empty where it was.
    """

    task: WholeTask
    notes: tuple[str, ...]
    unread: str = ""


def propose(text: str, name: str, summary: str = "") -> Proposal:
    """Propose a task for the one kernel of a `.cu` text, which may hold its host code, or say its launch itself.

    Raises:
        UsageError: It holds no kernel, or several; or one whose parameters cannot be read.
    """
    device, left_out = without_host_code(text)
    launches = host_launches(text)
    own = own_launch(text)
    kernel, parameters = _kernel(device, [own.kernel] if own else [one.kernel for one in launches])
    names = _names(kernel, parameters, own)
    dims = [names[one] for one in parameters if one.dtype and "int" in one.dtype]
    arguments = tuple(_argument(one, names[one], tuple(dims)) for one in parameters if names[one] not in dims)
    outputs = [one.name for one in arguments if one.role == "out"]
    if not outputs:
        raise UsageError(
            f"{kernel} writes through no pointer that is not const: nothing says what it computes"
        )
    sizeless = not dims
    if sizeless:
        dims = ["n"]
        arguments = tuple(_argument(one, names[one], ("n",)) for one in parameters)
    launch = _launch(dims, device, own)
    inputs = [one.name for one in arguments if one.role != "out"]
    said = "" if own else f"//@ launch {kernel}{launch.text}({', '.join(names[one] for one in parameters)})\n"
    task = WholeTask(
        name=name,
        summary=summary or f"What {kernel} computes.",
        dims=tuple(dims),
        arguments=arguments,
        tests=tuple(Case(dict(zip(dims, sizes, strict=True))) for sizes in _sizes(len(dims))),
        benches=(Case(dict(zip(dims, _bench(len(dims)), strict=True))),),
        flops=" * ".join(dims[:2]),
        bytes=f"{4 * sum(one.role != 'scalar' for one in arguments)} * {' * '.join(dims[:2])}",
        reference=_REFERENCE.format(names=", ".join([*inputs, *dims]), outputs=" and ".join(outputs)),
        baseline=f"{said}{_tidy(device)}\n",
    )
    known = {one.name: one for one in arguments}
    wanted = [_parameter(one, names[one], known.get(names[one])) for one in parameters]
    if sizeless:
        unread = f"{kernel} takes no whole number that could be a size: nothing says how large its arrays are"
    else:
        task, unread = _with_reference(task, kernel, wanted, launch, device)
    host = [part.name for part in left_out]
    drafted = (
        f"reference.py is to be written: nothing else says what is right ({unread})"
        if unread
        else f"reference.py was drafted from {kernel} itself: it says what the kernel does; read it, and write what"
        " it should do where that is something else"
    )
    return Proposal(task, (*_guesses(task, kernel, launch), drafted, *_of_host(host, launches)), unread)


@dataclass(frozen=True)
class _GuessedLaunch:
    """A launch with a thread for each element: how many there are, and threads of a block, along x and y.

    `macros` are what the file says of its own launch, `given` whether it says one.
    """

    elements: tuple[str, ...]
    block: tuple[int, ...]
    macros: str = ""
    given: bool = False

    @property
    def text(self) -> str:
        blocks = [f"ceil_div({one}, {size})" for one, size in zip(self.elements, self.block, strict=True)]
        if len(blocks) == 1:
            return f"<<<{blocks[0]}, {self.block[0]}>>>"
        return f"<<<({', '.join(blocks)}), ({', '.join(map(str, self.block))})>>>"


def _with_reference(
    task: WholeTask, kernel: str, parameters: Sequence[CParameter], launch: _GuessedLaunch, device: str
) -> tuple[WholeTask, str]:
    """Draft the reference from the kernel's own code, where that can be read; say why where it cannot."""
    try:
        source = f"{device}\n{launch.macros}"  # lines keep their numbers
        drafted = transcribe(source, kernel, parameters, launch.elements, launch.block)
    except UnreadableError as error:
        return task, f"{kernel} has {error}"
    arguments = tuple(
        dataclasses.replace(one, role="inout", data=_data(one.dtype)) if one.name in drafted.read else one
        for one in task.arguments
    )
    return dataclasses.replace(task, arguments=arguments, reference=drafted.text), ""


def _parameter(parameter: SourceParameter, name: str, argument: TaskArgument | None) -> CParameter:
    dtype = parameter.dtype if argument is None else argument.dtype
    kind: Kind = "bool" if dtype == "bool" else "float" if "float" in (dtype or "float") else "int"
    return CParameter(
        _own_name(parameter),
        name,
        parameter.pointer is not False,
        kind,
        () if argument is None else argument.shape,
        re.search(r"\bconst\b", parameter.text) is not None,
    )


def _kernel(device: str, launches: Sequence[str]) -> tuple[str, tuple[SourceParameter, ...]]:
    found = source_signatures(device)
    launched = list(dict.fromkeys(one for one in launches if one in found))
    names = launched or list(found)
    if not names:
        raise UsageError("there is no __global__ function whose parameters can be read")
    if len(names) > 1:
        raise UsageError(
            f"there are {len(names)} kernels ({', '.join(names)}): a task is proposed from one; keep one of them, or"
            " begin with a task like yours"
        )
    return names[0], found[names[0]]


def _own_name(parameter: SourceParameter) -> str:
    words = re.findall(r"[A-Za-z_]\w*", parameter.text.partition("[")[0])
    if not words or words[-1] in _NO_NAMES:
        raise UsageError(f"the parameter `{parameter.text.strip()}` has no name: give it one")
    return words[-1]


def _names(
    kernel: str, parameters: tuple[SourceParameter, ...], own: OwnLaunch | None
) -> dict[SourceParameter, str]:
    """What a task calls each parameter: as the file's own launch does, else as the kernel does."""
    if own is not None:
        if len(own.arguments) != len(parameters):
            raise UsageError(
                f"line {own.line}: {kernel} takes {len(parameters)} arguments, its launch gives"
                f" {len(own.arguments)}"
            )
        return dict(zip(parameters, own.arguments, strict=True))
    lower = [_own_name(one).lower().strip("_") for one in parameters]
    names = [name if name[:1].isalpha() else f"a{name}" for name in lower]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(
            f"{kernel} has several parameters called {twice[0]} in lower case: rename one of them"
        )
    return dict(zip(parameters, names, strict=True))


def _argument(parameter: SourceParameter, name: str, dims: tuple[str, ...]) -> TaskArgument:
    if parameter.pointer is False:
        return TaskArgument(name, "scalar", parameter.dtype or "float32", data="constant(1)")
    dtype = parameter.pointees[0] if parameter.pointees else "float32"
    if re.search(r"\bconst\b", parameter.text):
        return TaskArgument(name, "in", dtype, dims[:2], _data(dtype))
    return TaskArgument(name, "out", dtype, dims[:2])


def _data(dtype: str) -> str:
    """What fills an input."""
    if "float" in dtype:
        return "normal(0, 1)"
    return "integers(0, 1)" if dtype == "bool" else "integers(0, 100)"


def _sizes(count: int) -> tuple[tuple[int, ...], ...]:
    return _TESTS.get(count, tuple((size,) * count for size in _AWKWARD))


def _bench(count: int) -> tuple[int, ...]:
    return _BENCH.get(count, (256,) * count)


def _launch(dims: list[str], device: str, own: OwnLaunch | None) -> _GuessedLaunch:
    if own is not None:
        across = (dims[1], dims[0]) if len(own.block) > 1 and len(dims) > 1 else (" * ".join(dims[:2]), "1")
        return _GuessedLaunch(across[: len(own.block)], own.block, own.macros, given=True)
    if len(dims) > 1 and "threadIdx.y" in device:
        return _GuessedLaunch((dims[1], dims[0]), (_SIDE, _SIDE))
    return _GuessedLaunch((" * ".join(dims[:2]),), (_BLOCK,))


def _tidy(device: str) -> str:
    return re.sub(r"\n\s*\n(?:\s*\n)+", "\n\n", device).strip()


def _guesses(task: WholeTask, kernel: str, launch: _GuessedLaunch) -> list[str]:
    roles = ", ".join(f"{one.name} {one.role} {one.dtype}[{', '.join(one.shape)}]" for one in task.arguments)
    threads = " x ".join(map(str, launch.block))
    return [
        f"arguments: {roles}; pointers to const are inputs, the others outputs; shapes are guessed",
        f"sizes: {', '.join(task.dims)}, the integers that {kernel} takes",
        "launch: as the file says"
        if launch.given
        else f"launch: a thread for each element in blocks of {threads} threads, guessed",
    ]


def _of_host(left_out: list[str], launches: list[HostLaunch]) -> list[str]:
    notes = [
        f"the host launches {one.kernel}<<<{one.configuration}>>>({one.arguments}): take over what matters"
        for one in launches[:1]
    ]
    return [*notes, *([f"host code was left out: {', '.join(left_out)}"] if left_out else [])]
