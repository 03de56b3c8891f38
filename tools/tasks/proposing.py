"""A task proposed from a kernel: what its signature and its host code say, and what is left to be said."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from sandbox.errors import UsageError
from tools.kernel.host_code import HostLaunch, host_launches, without_host_code
from tools.kernel.source_signatures import SourceParameter, source_signatures
from tools.tasks.c_expressions import Kind, UnreadableError
from tools.tasks.drafted_reference import CParameter
from tools.tasks.task import Case, TaskArgument, WholeTask
from tools.tasks.transcribing import transcribe

_BLOCK = 256
_SIDE = 16
_TESTS = {1: ((1,), (31,), (1000,), (4099,)), 2: ((1, 1), (3, 33), (64, 100))}
_BENCH = {1: (1 << 20,), 2: (1024, 1024)}
_AWKWARD = (1, 3, 33)
_OTHERS = re.compile(r"^[ \t]*//@[ \t]*(?:launch|scratch|zero|fill|constant)\b.*\n?", re.MULTILINE)
"""Lines of a kernel file that speak of the arguments of the task that it was written for."""
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
    """

    task: WholeTask
    notes: tuple[str, ...]


def propose(text: str, name: str, summary: str = "") -> Proposal:
    """Propose a task for the one kernel of a `.cu` text, which may hold its host code.

    Raises:
        UsageError: It holds no kernel, or several; or one whose parameters cannot be read.
    """
    others, text = _OTHERS.findall(text), _OTHERS.sub("", text)
    device, left_out = without_host_code(text)
    launches = host_launches(text)
    kernel, parameters = _kernel(device, launches)
    dims = [_lower(one) for one in parameters if one.dtype and "int" in one.dtype]
    arguments = tuple(_argument(one, tuple(dims)) for one in parameters if _lower(one) not in dims)
    outputs = [one.name for one in arguments if one.role == "out"]
    if not outputs:
        raise UsageError(
            f"{kernel} writes through no pointer that is not const: nothing says what it computes"
        )
    if not dims:
        dims = ["n"]
        arguments = tuple(_argument(one, ("n",)) for one in parameters)
    launch = _launch(dims, device)
    inputs = [one.name for one in arguments if one.role != "out"]
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
        baseline=f"//@ launch {kernel}{launch.text}({', '.join(map(_lower, parameters))})\n{_tidy(device)}\n",
    )
    task, drafted = _with_reference(task, kernel, parameters, launch)
    host = [part.name for part in left_out]
    notes = (*_guesses(task, kernel, launch), drafted, *_of_host(host, launches), *_of_another_task(others))
    return Proposal(task, notes)


@dataclass(frozen=True)
class _GuessedLaunch:
    """A launch with a thread for each element: how many there are, and threads of a block, along x and y."""

    elements: tuple[str, ...]
    block: tuple[int, ...]

    @property
    def text(self) -> str:
        blocks = [f"ceil_div({one}, {size})" for one, size in zip(self.elements, self.block, strict=True)]
        if len(blocks) == 1:
            return f"<<<{blocks[0]}, {self.block[0]}>>>"
        return f"<<<({', '.join(blocks)}), ({', '.join(map(str, self.block))})>>>"


def _with_reference(
    task: WholeTask, kernel: str, parameters: tuple[SourceParameter, ...], launch: _GuessedLaunch
) -> tuple[WholeTask, str]:
    """Draft the reference from the kernel's own code, where that can be read; say which it is."""
    known = {one.name: one for one in task.arguments}
    wanted = [_parameter(one, known.get(_lower(one))) for one in parameters]
    grid = [f"-(-{one} // {size})" for one, size in zip(launch.elements, launch.block, strict=True)]
    try:
        drafted = transcribe(task.baseline, kernel, wanted, grid, launch.block)
    except UnreadableError as error:
        return task, f"reference.py is to be written: nothing else says what is right ({kernel} has {error})"
    arguments = tuple(
        dataclasses.replace(one, role="inout", data=_data(one.dtype)) if one.name in drafted.read else one
        for one in task.arguments
    )
    return (
        dataclasses.replace(task, arguments=arguments, reference=drafted.text),
        f"reference.py was drafted from {kernel} itself: it says what the kernel does; read it, and write what it"
        " should do where that is something else",
    )


def _parameter(parameter: SourceParameter, argument: TaskArgument | None) -> CParameter:
    dtype = parameter.dtype if argument is None else argument.dtype
    kind: Kind = "bool" if dtype == "bool" else "float" if "float" in (dtype or "float") else "int"
    return CParameter(
        re.findall(r"[A-Za-z_]\w*", parameter.text)[-1],
        _lower(parameter),
        parameter.pointer is not False,
        kind,
        () if argument is None else argument.shape,
        re.search(r"\bconst\b", parameter.text) is not None,
    )


def _kernel(device: str, launches: list[HostLaunch]) -> tuple[str, tuple[SourceParameter, ...]]:
    found = source_signatures(device)
    launched = list(dict.fromkeys(one.kernel for one in launches if one.kernel in found))
    names = launched or list(found)
    if not names:
        raise UsageError("there is no __global__ function whose parameters can be read")
    if len(names) > 1:
        raise UsageError(
            f"there are {len(names)} kernels ({', '.join(names)}): a task is proposed from one; keep one of them, or"
            " begin with a task like yours"
        )
    return names[0], found[names[0]]


def _lower(parameter: SourceParameter) -> str:
    """The name of a parameter as a task may call it."""
    name = re.findall(r"[A-Za-z_]\w*", parameter.text)[-1].lower().strip("_")
    return name if name[:1].isalpha() else f"a{name}"


def _argument(parameter: SourceParameter, dims: tuple[str, ...]) -> TaskArgument:
    name = _lower(parameter)
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


def _launch(dims: list[str], device: str) -> _GuessedLaunch:
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
        f"launch: a thread for each element in blocks of {threads} threads, guessed",
    ]


def _of_another_task(lines: list[str]) -> list[str]:
    said = ", ".join(f"`{line.strip()}`" for line in lines)
    return [f"left out, since it names the arguments of another task: {said}"] if lines else []


def _of_host(left_out: list[str], launches: list[HostLaunch]) -> list[str]:
    notes = [
        f"the host launches {one.kernel}<<<{one.configuration}>>>({one.arguments}): take over what matters"
        for one in launches[:1]
    ]
    return [*notes, *([f"host code was left out: {', '.join(left_out)}"] if left_out else [])]
