"""Packages as exports make them, of kernels compiled here, and their launches as the planner has them."""

from __future__ import annotations

import asyncio
import struct
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from agent.export.packages import ChosenKernel, ExportedKernel, KernelPackage, Origin
from agent.export.rendering import rendered
from agent.export.variants import CompiledKernel, compiled_kernel
from sandbox.dtypes import numpy_dtype
from sandbox.plan import BufferArgument, PassedArgument, ScalarArgument
from tests.compiling import InProcess
from tools.kernel import planning
from tools.kernel.file import parse
from tools.stages.compiling import CompileStage
from tools.tasks.folder import load
from tools.tasks.task import Case, Task, TaskArgument

EXAMPLES = Path(__file__).parents[3] / "examples"
ARCHITECTURE = "sm_90"


def example(name: str) -> Task:
    return load(EXAMPLES / "tasks" / name)


def array(name: str, role: str, *shape: str, dtype: str = "float32") -> TaskArgument:
    return TaskArgument(name, role, dtype, shape, None if role == "out" else "normal(0, 1)")  # type: ignore[arg-type]


def small_task(dims: Sequence[Mapping[str, int]], *arguments: TaskArgument) -> Task:
    cases = tuple(Case(dict(one)) for one in dims)
    return Task(
        *("small", "A task.", tuple(dims[0]), arguments, cases, cases[-1:], "1", "1"),
        folder=Path("small"), sha="0" * 64, reference="", baseline="",
    )  # fmt: skip


def compiled(
    task: Task, kernel: str, sizes: Sequence[Mapping[str, int]], tune: Mapping[str, int] | None = None,
    architectures: Sequence[str] = (ARCHITECTURE,),
) -> CompiledKernel:  # fmt: skip
    stages = {name: CompileStage(InProcess(), name) for name in architectures}
    tuned = parse(kernel).defaults | dict(tune or {})
    return asyncio.run(compiled_kernel(stages, task, kernel, tuned, sizes))


def package(task: Task, *kernels: str, sizes: Sequence[Mapping[str, int]] = ()) -> KernelPackage:
    asked = [*sizes, *(case.dims for case in (*task.benches, *task.tests))]
    made = tuple(
        ExportedKernel(f"kernel_{place}.cu", text, compiled(task, text, asked), Origin("file.cu"), ())
        for place, text in enumerate(kernels)
    )
    choices = tuple(
        ChosenKernel(case.dims, place % len(made)) for place, case in enumerate(task.benches * len(made))
    )
    return KernelPackage(task, made, choices, (ARCHITECTURE,), "0", {})


def plan_module(made: KernelPackage) -> types.ModuleType:
    module = types.ModuleType("plan")
    module.__file__ = "plan.py"
    exec(compile(rendered("plan.py.j2", made), "plan.py", "exec"), module.__dict__)
    return module


ADDRESSES = {name: 0x1000 * number for number, name in enumerate("abcdefghijklmnopqrstuvwxyz", start=1)}


def planned(
    task: Task, kernel: str, dims: Mapping[str, int], scalars: Mapping[str, int | float]
) -> list[object]:
    """The launches of a kernel at these sizes as the product judges them: extents, and each argument's bytes."""
    build = asyncio.run(CompileStage(InProcess(), ARCHITECTURE).compile(task, kernel, dims)).build
    assert build is not None
    plan = planning.plan(build.kernel_file, task, dims, build.tune, scalars, build.parameters)
    return [
        (
            build.program.symbols[one.kernel], one.grid, one.block, one.shared_bytes,
            [passed(argument) for argument in one.arguments],
        )
        for one in plan.launches
    ]  # fmt: skip


def address(name: str) -> int:
    return 0x10000 + sum(ord(letter) * 257**place for place, letter in enumerate(name[:4]))


def passed(argument: PassedArgument) -> bytes:
    if isinstance(argument, BufferArgument):
        return struct.pack("<Q", address(argument.name))
    if isinstance(argument, ScalarArgument):
        return np.asarray([argument.value]).astype(numpy_dtype(argument.dtype)).tobytes()
    whole = bytearray(argument.size)
    for offset, member in argument.members:
        data = passed(member)
        whole[offset : offset + len(data)] = data
    return bytes(whole)


class Everywhere(dict[str, int]):
    """An address for every buffer."""

    def __missing__(self, name: str) -> int:
        return address(name)


def launched(
    module: types.ModuleType, dims: Mapping[str, int], scalars: Mapping[str, int | float]
) -> list[object]:
    """The launches of a package at these sizes, in the words of `planned`."""
    work = module.work(module.Sizes(**dims))
    symbols = module.IMAGES[work.kernel, work.variant][0].symbols
    return [
        (
            symbols[one.symbol], one.grid, one.block, one.shared_bytes,
            module.arguments(one, Everywhere(), scalars),
        )
        for one in work.launches
    ]  # fmt: skip
