"""The code behind a launch plan: one compilation for each set of values that the code's own macros take.

A define that is made of dims and used in the code (`WIDTH = 4 if cols % 4 == 0 else 1`) makes other code at other
sizes; code is chosen by the values of such names, and sizes whose values were not compiled for are refused.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.export.plan_reading import launch_plan
from agent.export.plans import LaunchPlan, LaunchStep
from sandbox.errors import UsageError
from tools.expressions import ExpressionError
from tools.kernel.file import KernelFile
from tools.kernel.source_text import identifiers
from tools.reports import sizes_text
from tools.stages.compiling import Build, CompileStage
from tools.tasks.task import DimLimits, Task

MOST = 16
"""Sets of values that a kernel is compiled for where sizes that nobody asked for would add without end."""
MOST_OF_FEW = 64
"""Where all sizes together make no more sets of values than this, it is compiled for each of them."""
_DRAWS = 3000
_UNITS = (1, 1, 2, 4, 8, 16, 32)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Image:
    """Code for one architecture; `symbols` are of the plan's launches, in order."""

    architecture: str
    cubin: bytes
    ptx: str
    symbols: tuple[str, ...]

    @property
    def capability(self) -> tuple[int, int]:
        """The compute capability that it was made for."""
        major, minor = divmod(int(re.sub(r"\D", "", self.architecture)), 10)
        return major, minor

    @property
    def portable(self) -> bool:
        """Whether later GPUs run it too: sm_90a and its like run on theirs alone."""
        return self.architecture[-1].isdigit()


@dataclass(frozen=True)
class Variant:
    """Code for one set of values.

    Attributes:
        values: Of the plan's keys, in their order.
        images: One an architecture, in the order asked for.
    """

    values: tuple[int, ...]
    images: tuple[Image, ...]


@dataclass(frozen=True)
class CompiledKernel:
    """A kernel file with all code that an export takes along.

    Attributes:
        keys: The names whose values choose the code; empty where one compilation serves all sizes.
        registers: A thread's at most, and bytes spilled, by architecture.
    """

    plan: LaunchPlan
    keys: tuple[str, ...]
    variants: tuple[Variant, ...]
    registers: Mapping[str, tuple[int, int]]


async def compiled_kernel(
    stages: Mapping[str, CompileStage],
    task: Task,
    kernel: str,
    tune: Mapping[str, int],
    sizes: Sequence[Mapping[str, int]],
) -> CompiledKernel:
    """Compile a kernel for every architecture, at sizes that differ in code.

    Args:
        stages: What compiles, by architecture.
        task: What the kernel is for.
        kernel: The kernel file's text.
        tune: The tunables' values.
        sizes: Those that it must serve, the ones that matter most first; the first `MOST` sets of values are taken.

    Raises:
        UsageError: It does not compile for an architecture, or passes other types at other sizes.
    """
    lead = await _built(next(iter(stages.values())), task, kernel, sizes[0], tune)
    plan = launch_plan(lead)
    keys = _keys(lead.kernel_file, plan)
    asked = dict(list(_by_values(plan, keys, sizes).items())[:MOST])
    more = _by_values(plan, keys, _drawn(task)) if keys else {}
    further = (
        {} if len(more | asked) > MOST_OF_FEW else {key: more[key] for key in sorted(more.keys() - asked)}
    )
    made = {values: await _made(stages, task, kernel, dims, tune) for values, dims in asked.items()}
    if not all(_alike(plan, each) for each in made.values()):
        raise UsageError(
            "it cannot be exported: it takes parameters of other types at other sizes; "
            "give each its own kernel, or export it for fewer sizes"
        )
    for values, dims in further.items():
        try:
            each = await _made(stages, task, kernel, dims, tune)
        except UsageError:  # sizes that nobody asked for, and that the kernel may have no code for
            continue
        if _alike(plan, each):
            made[values] = each
    variants = tuple(Variant(values, tuple(_image(one) for one in each)) for values, each in made.items())
    return CompiledKernel(plan, keys, variants, _registers([one for each in made.values() for one in each]))


def _by_values(
    plan: LaunchPlan, keys: Sequence[str], sizes: Iterable[Mapping[str, int]]
) -> dict[tuple[int, ...], Mapping[str, int]]:
    """Return the first of the sizes for each set of the keys' values; sizes without a value are left out."""
    found: dict[tuple[int, ...], Mapping[str, int]] = {}
    for dims in sizes:
        try:
            values = plan.values(dims)
        except ExpressionError:
            continue
        found.setdefault(tuple(values[key] for key in keys), dims)
    return found


def _drawn(task: Task) -> Iterator[dict[str, int]]:
    """Return sizes of all magnitudes up to a dim's limit, else twice its largest case; always the same ones."""
    draw = random.Random(0)
    cases = [case.dims for case in (*task.benches, *task.finals, *task.judged_cases)]
    ranges = {
        name: (limits.min or 1, limits.max or 2 * max(dims[name] for dims in cases), limits.multiple_of or 1)
        for name in task.dims
        for limits in [task.limits.get(name, DimLimits())]
    }
    for number in range(_DRAWS):
        yield {name: _size(draw, *of, even=number % 2 == 0) for name, of in ranges.items()}


def _size(draw: random.Random, least: int, most: int, unit: int, *, even: bool) -> int:
    """Return a size, evenly drawn or by magnitude: sets of values lie dense among small sizes, or everywhere."""
    unit *= draw.choice(_UNITS)
    low, high = least, max(most, least)
    wanted = draw.uniform(low, high) if even else math.exp(draw.uniform(math.log(low), math.log(high)))
    size = round(wanted / unit) * unit
    return size if low <= size <= high else low


async def _made(
    stages: Mapping[str, CompileStage],
    task: Task,
    kernel: str,
    dims: Mapping[str, int],
    tune: Mapping[str, int],
) -> list[Build]:
    """Return the kernel compiled for one size, for every architecture."""
    return list(await asyncio.gather(*(_built(stage, task, kernel, dims, tune) for stage in stages.values())))


async def _built(
    stage: CompileStage, task: Task, kernel: str, dims: Mapping[str, int], tune: Mapping[str, int]
) -> Build:
    compiled = await stage.compile(task, kernel, dims, tune)
    if compiled.build is None:
        raise UsageError(
            f"it cannot be exported for {stage.architecture} ({sizes_text(dims)}): {compiled.report.message}"
        )
    return compiled.build


def _keys(kernel_file: KernelFile, plan: LaunchPlan) -> tuple[str, ...]:
    """Return the names that depend on sizes and reach the compiler: as macros, or in a launched template's name."""
    used = set(identifiers(kernel_file.source))
    for launch in kernel_file.launches:
        used.update(_NAME.findall(launch.template or ""))
    sized = plan.sized()
    return tuple(one.name for one in plan.settings if one.name in sized and one.name in used)


def _image(build: Build) -> Image:
    program = build.program
    symbols = tuple(program.symbols[step.kernel] for step in launch_plan(build).launches)
    return Image(program.architecture, program.cubin, program.ptx, symbols)


def _alike(plan: LaunchPlan, built: Iterable[Build]) -> bool:
    """Whether code for other sizes takes parameters of the same types."""
    return all(_types(launch_plan(build)) == _types(plan) for build in built)


def _types(plan: LaunchPlan) -> list[object]:
    return [step.arguments for step in plan.launches if isinstance(step, LaunchStep)]


def _registers(built: Iterable[Build]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for build in built:
        name = build.program.architecture
        before = found.get(name, (0, 0))
        for one in build.program.resources:
            before = (max(before[0], one.registers), max(before[1], one.spill_bytes))
        found[name] = before
    return found
