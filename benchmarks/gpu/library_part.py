"""The part that times libraries beside the suite's kernels: at the tasks' own sizes, and at KernelBench's."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.gpu.budget import Clock
from benchmarks.gpu.kernels import ROOT, Entry
from benchmarks.gpu.results import LibraryTime, Results
from tools.tasks import folder as task_folder
from tools.tasks.suites import find_suite
from tools.tasks.task import Case, Task, argument_size

SUITE = "fsr20"
COMMAND = (sys.executable, "-m", "benchmarks.gpu.libraries")


def asked_of(only: Sequence[str] = ()) -> list[LibraryTime]:
    """Return what is to be timed: the tasks of the suite at their benchmark sizes, then at KernelBench's."""
    listed = [one for one in find_suite(SUITE).tasks if not only or one.task in only]
    own = [
        LibraryTime(one.task, dict(case.dims))
        for one in listed
        for case in task_folder.find(one.task, paths=False).benches
    ]
    theirs = [
        LibraryTime(
            one.task, dict(known.dims), elsewhere_eager_us=1e3 * known.eager_ms,
            elsewhere_compile_us=1e3 * known.compile_ms, unlike=known.unlike,
        )
        for one in listed
        if (known := one.kernelbench) is not None
    ]  # fmt: skip
    return own + theirs


def at_kernelbench(entries: Sequence[Entry]) -> list[Entry]:
    """Return each task's baseline and best kernel at KernelBench's size, in groups of their own."""
    sizes = {one.task: one.kernelbench.dims for one in find_suite(SUITE).tasks if one.kernelbench is not None}
    return [
        replace(entry, group=f"{entry.group} (KernelBench)", task=_resized(entry.task, sizes[entry.group]))
        for entry in entries
        if entry.group in sizes and entry.variant in ("baseline", "best")
    ]


def _resized(task: Task, dims: dict[str, int]) -> Task:
    return replace(task, benches=(Case(dims),), finals=(), sha=f"{task.sha} kernelbench")


async def time_libraries(clock: Clock, results: Results, only: Sequence[str] = ()) -> None:
    """Time the libraries in a process of their own, as far as the part's time goes; what it lacks is noted."""
    asked = asked_of(only)
    if not asked:
        return
    process = await asyncio.create_subprocess_exec(
        *COMMAND, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    answers: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(max(1.0, clock.left)):
            said = await _conversation(process, json.dumps([_request(one) for one in asked]), answers)
    except TimeoutError:
        said = "out of time"
        process.kill()
        await process.wait()
    results.libraries = [_answered(one, answer) for one, answer in zip(asked, answers, strict=False)]
    missing = asked[len(answers) :]
    if missing:
        names = ", ".join(f"{one.task} at {one.sizes}" for one in missing)
        results.skipped.append(f"libraries: {said or 'ended early'}: {names}")


async def _conversation(
    process: asyncio.subprocess.Process, request: str, answers: list[dict[str, Any]]
) -> str:
    """Collect answers line by line, so that those before an early end are kept; return the last complaint."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(request.encode())
    process.stdin.close()
    complaints = asyncio.ensure_future(process.stderr.read())
    while line := await process.stdout.readline():
        answers.append(json.loads(line))
    said = (await complaints).decode(errors="replace").strip().splitlines()
    await process.wait()
    return said[-1] if said else ""


def _request(one: LibraryTime) -> dict[str, Any]:
    task, case = task_folder.find(one.task, paths=False), Case(one.dims)
    inputs = [argument for argument in task.arguments if argument.is_input]
    shapes = [
        [argument.name, argument.dtype, list(argument_size(argument, case.dims))] for argument in inputs
    ]
    return {"task": one.task, "dims": one.dims, "arguments": shapes}


def _answered(asked: LibraryTime, answer: dict[str, Any]) -> LibraryTime:
    return replace(
        asked,
        eager_us=answer.get("eager_us"),
        compile_us=answer.get("compile_us"),
        problem=answer.get("problem", ""),
    )
