"""The module's answers beside the reference's: whether they are the same, and whether anybody need compute them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sandbox.device import Array
from tools.judge.questions import Question
from tools.tasks.task import WholeTask

_RELATIVE = 1e-9
"""How far apart reference and module may be in float64, in units of the terms behind an element."""
_CANCELLED = 1e-13
"""What is smaller than its terms by this is what rounding left of 0."""
_KERNELBENCH_TOLERANCE = 1e-2
"""What KernelBench lets pass, absolute and relative, in half precision and in its first version."""

Answered = Sequence[tuple[Question, tuple[Array, ...]]]
"""Questions with the reference's answers, and the module's."""


def difference(expected: Array, got: Array, magnitude: Array | None) -> str:
    """Say how the two differ; empty where they do not."""
    got = got.reshape(expected.shape) if got.size == expected.size else got
    if got.shape != expected.shape:
        return f"shapes {list(expected.shape)} and {list(got.shape)}"
    if expected.dtype.kind != "f":
        wrong = expected != got
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            scale = np.abs(expected) if magnitude is None else np.maximum(magnitude, np.abs(expected))
            near = np.abs(expected - got) <= _RELATIVE * scale + 1e-300
        wrong = ~(near | (expected == got) | (np.isnan(expected) & np.isnan(got)))
    if not wrong.any():
        return ""
    place = tuple(int(one[0]) for one in np.nonzero(wrong)) if wrong.ndim else ()
    return f"{int(wrong.sum())} of {wrong.size} elements, at {list(place)} {expected[place]:.9g} and {got[place]:.9g}"


def all_finite(found: Answered) -> bool:
    """Say whether the module gives neither infinities nor NaN."""
    return all(
        bool(np.isfinite(one).all()) for _, outputs in found for one in outputs if one.dtype.kind == "f"
    )


def trivial(task: WholeTask, found: Answered) -> tuple[WholeTask, list[str]]:
    """Name outputs that nobody need compute, and declare them trivial."""
    outputs = [one for one in task.arguments if one.is_output]
    notes: list[str] = []
    changed: dict[str, Any] = {}
    for place, output in enumerate(outputs):
        values = [answers[place] for _, answers in found]
        scales = [question.expected[place].magnitude for question, _ in found]
        why = _why(output.name, values, scales)
        if why:
            notes.append(why)
            changed[output.name] = replace(output, trivial=True, reason=why)
        elif all(_passes_as_zeros(one) for one in values):
            notes.append(
                f"{output.name} stays below {_KERNELBENCH_TOLERANCE:g} at the test sizes: zeros would pass a check"
                " like KernelBench's; they do not pass here"
            )
    arguments = tuple(changed.get(one.name, one) for one in task.arguments)
    return replace(task, arguments=arguments), notes


def _why(name: str, values: Sequence[Array], scales: Sequence[Array | None]) -> str:
    first = values[0].flat[0]
    if all(bool((one == first).all()) for one in values):
        return f"{name} is {first:g} whatever the inputs are: a kernel that writes this constant is right"
    if values[0].dtype.kind == "f" and all(
        scale is not None and bool((np.abs(one) <= _CANCELLED * scale).all())
        for one, scale in zip(values, scales, strict=True)
    ):
        return f"{name} cancels to rounding errors of 0 whatever the inputs are: a kernel that writes zeros is right"
    return ""


def _passes_as_zeros(values: Array) -> bool:
    return values.dtype.kind == "f" and bool((np.abs(values) <= _KERNELBENCH_TOLERANCE).all())
