"""Freezing a task: its baseline passes, nothing trivial does, and what candidates are judged by is fixed."""

from __future__ import annotations

import ast
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from sandbox.budget import Work
from sandbox.device import Device
from sandbox.dtypes import FLOATS
from sandbox.errors import UsageError
from sandbox.syntax_trees import syntax_tree
from sandbox.verdict import Verdict
from tools.awaiting import together
from tools.judge.families import Court
from tools.judge.questions import Oracle
from tools.judge.stress import FAMILIES
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import judge_results
from tools.judge.trivial import refuse_trivial
from tools.tasks.task import Case, Task, argument_size

FLOORS = {"float16": 1.0, "bfloat16": 1.0, "float32": 8.0, "float64": 8.0}
"""The least constant of the error bound, by the output's dtype.

8 units of `eps * S` leave room for what honest float32 kernels use: approximate exp, log, division and
reciprocal square root (1 to 3 units each, CUDA C++ Programming Guide, "Mathematical Functions"), in a row.
Half precision outputs are as a rule computed in float32, whose errors vanish beside one unit of theirs.
"""

CAPS = {"float16": 4.0, "bfloat16": 4.0, "float32": 64.0, "float64": 64.0}
"""The largest constant, however imprecise the baseline is; `cap` raises it for long sums.

At 64 units of float32 a matrix product through TF32 or half precision inputs (about 2**12 units of each
term, less by the square root of the number of terms) is still refused in some element.
"""

MARGIN = 4.0
"""A candidate may err this many times as much as the baseline: another order of summation is no mistake."""

_SUMMED_WIDER = frozenset({"float16", "bfloat16"})
_VERSION = 9
_SEEDS = 3


@dataclass(frozen=True)
class Frozen:
    """What is fixed of a task on a device.

    Attributes:
        constants: Of the error bound, for every floating output.
        families: Value families that the baseline survives, and that every candidate must survive therefore.
        works: What the baseline did at each size, by `tools.judge.testing.size_key`; empty where a GPU ran it.
    """

    constants: Mapping[str, float]
    families: tuple[str, ...] = ()
    works: Mapping[str, Work] = field(default_factory=dict[str, Work])


class BaselineError(UsageError):
    """A task's own baseline is wrong, so that nothing can be calibrated by it; the text says how."""


def cap(task: Task, dtype: str) -> float:
    """Return the largest constant for outputs of a dtype.

    Adding n terms one after the other in float32 errs by a random walk of n steps, each of them uniform within half a
    unit of the sum so far: a deviation of up to `sqrt(n / 12)` units of `eps * S`, and three of these are within
    `sqrt(n)` (Higham and Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41(5),
    2019). So many terms an output has at least as there are elements of inputs to one of the outputs. Half precision
    outputs are summed in float32, whose walk stays within one unit of theirs; and where the task leaves S to be
    traced, the walk is part of it.
    """
    if dtype in _SUMMED_WIDER or not _gives_magnitude(task):
        return CAPS[dtype]
    return max(CAPS[dtype], max((math.sqrt(_terms(task, case)) for case in task.tests), default=0.0))


def _gives_magnitude(task: Task) -> bool:
    try:
        body = syntax_tree(task.reference).body
    except SyntaxError:  # whoever runs the reference says so
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == "magnitude" for node in body)


def _terms(task: Task, case: Case) -> float:
    sizes = [(one, math.prod(argument_size(one, case.dims))) for one in task.arguments]
    read = sum(size for argument, size in sizes if not argument.is_output and not argument.is_scalar)
    return read / max(1, sum(size for argument, size in sizes if argument.is_output))


def constants_of(task: Task, needed: Mapping[str, float]) -> dict[str, float]:
    """Return the constant of every floating output: the margin times what the baseline needed, within bounds.

    Args:
        task: Whose outputs.
        needed: By output the least constant that accepts the baseline; missing means 0.
    """
    dtypes = _floating_outputs(task)
    return {
        name: min(max(MARGIN * needed.get(name, 0.0), FLOORS[dtype]), cap(task, dtype))
        for name, dtype in dtypes.items()
    }


async def freeze(
    task: Task,
    device: Device,
    oracle: Oracle,
    subjects: Sequence[Subject],
    rules: Rules,
    stress: Mapping[str, Subject] | None = None,
) -> Frozen:
    """Judge a task's own baseline, and fix by it what candidates are judged by.

    The inputs come from the task's sha, so that the constants are the same wherever it is frozen.

    Args:
        task: What to freeze.
        device: Where the baseline runs.
        oracle: Knows the task's answers.
        subjects: The baseline, compiled for every test case.
        rules: How to judge; its constants and seeds are replaced.
        stress: The baseline, compiled for every family of values that suits the task.

    Raises:
        BaselineError: The baseline fails.
        UsageError: A kernel that computes nothing would pass every test.
    """
    caps = {name: cap(task, dtype) for name, dtype in _floating_outputs(task).items()}
    seed = int(task.sha[:8], 16)
    judgement = await judge_results(
        task, device, oracle, subjects, replace(rules, constants=caps, seeds=_SEEDS), seed=seed
    )
    report = judgement.report
    if report.verdict is not Verdict.PASS:
        raise BaselineError(
            f"task {task.name}: its baseline is not correct ({report.verdict}): {report.message}"
        )
    constants = constants_of(task, judgement.constants)
    await refuse_trivial(task, oracle, task.tests, constants, range(seed, seed + _SEEDS))
    court = Court(task, device, oracle, replace(rules, constants=constants))
    stress = stress or {}
    survived = await together(court.survives(subject, seed) for subject in stress.values())
    families = tuple(family for family, survives in zip(stress, survived, strict=True) if survives)
    return Frozen(constants, families, judgement.works)


def uncalibrated(task: Task) -> Frozen:
    """Return what a candidate is judged by while the task's baseline is wrong: the least constants, no families."""
    return Frozen(constants_of(task, {}))


def load_frozen(folder: Path, task: Task, device: str) -> Frozen | None:
    """Return what `store_frozen` kept for this very task and device; None where there is nothing usable."""
    try:
        stored: object = json.loads(_path(folder, task, device).read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(stored, dict):
        return None
    record = cast("dict[str, object]", stored)
    constants = record.get("constants")
    if record.get("version") != _VERSION or not isinstance(constants, dict):
        return None
    items = cast("dict[str, object]", constants).items()
    numbers = {name: value for name, value in items if isinstance(value, float)}
    families = record.get("families")
    if set(numbers) != set(_floating_outputs(task)):
        return None
    if not isinstance(families, list):
        return None
    known = tuple(family for family in FAMILIES if family in cast("list[object]", families))
    works = _works(record.get("works"))
    if works is None or len(known) != len(cast("list[object]", families)):
        return None
    return Frozen(numbers, known, works)


def _works(stored: object) -> dict[str, Work] | None:
    """What `store_frozen` kept of the baseline's work; None where it is not that."""
    if not isinstance(stored, dict):
        return None
    works: dict[str, Work] = {}
    for key, pair in cast("dict[str, object]", stored).items():
        match pair:
            case [int(threads), int(steps)]:
                works[key] = Work(threads, steps)
            case _:
                return None
    return works


def store_frozen(folder: Path, task: Task, device: str, frozen: Frozen) -> None:
    """Keep a frozen task's constants in a cache folder, by the sha of the task.

    Raises:
        OSError: The folder cannot be written.
    """
    path = _path(folder, task, device)
    path.parent.mkdir(parents=True, exist_ok=True)
    record: dict[str, object] = {"task": task.name, "constants": dict(frozen.constants)}
    record["families"] = list(frozen.families)
    record["works"] = {key: [work.thread_instructions, work.steps] for key, work in frozen.works.items()}
    text = json.dumps({"version": _VERSION} | record)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".new")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(temporary).replace(path)


def _path(folder: Path, task: Task, device: str) -> Path:
    return folder / "frozen" / f"{task.sha}-{device.replace(':', '-').replace('/', '-')}.json"


def _floating_outputs(task: Task) -> dict[str, str]:
    outputs = (argument for argument in task.arguments if argument.is_output)
    return {argument.name: argument.dtype for argument in outputs if argument.dtype in FLOATS}
