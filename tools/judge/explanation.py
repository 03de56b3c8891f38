"""What is said of a wrong result: short, and made for a model that must repair the kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tools.judge.comparison import Comparison
from tools.reports import sizes_text
from tools.tasks.generators import parse_call
from tools.tasks.task import CapturedCase, Case, Task

LIMIT = 1500
"""Characters of a message at most."""

_SMALL_ERROR = 1e4
"""Below this many times the bound an error looks like lost precision rather than a wrong formula."""

_TELLING = frozenset({"spikes", "one_hot", "integers", "permutation", "extremes"})
"""Families of values of which one that is left out moves a result a little, though far beyond rounding."""


def shorten(text: str, limit: int = LIMIT) -> str:
    """Return the text, cut in the middle where it is longer than `limit` characters.

    What is not printable, line ends apart, is written as an escape: part of it may be what a kernel says.
    """
    text = "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    return f"{text[:head]} [...] {text[len(text) - (limit - head - 7) :]}"


def describe_case(task: Task, case: Case, seed: int) -> str:
    """Return a case's sizes, generators and seed, as in `n=33 with x ~ normal(0, 1), seed 5`."""
    sizes = sizes_text(case.dims)
    data = ", ".join(f"{name} ~ {call}" for name, call in _drawn(task, case).items())
    if isinstance(case, CapturedCase):
        data = f"what was captured in {case.file}{f', {data}' if data else ''}"
    return f"{sizes or 'the only case'}{f' with {data}' if data else ''}, seed {seed}"


def shows_omissions(task: Task, case: Case) -> bool:
    """Whether some input's values are made to show that one of them was left out."""
    return any(parse_call(call)[0] in _TELLING for call in _drawn(task, case).values())


def _drawn(task: Task, case: Case) -> dict[str, str]:
    """The generator calls of a case by argument."""
    if isinstance(case, CapturedCase):
        return dict(case.data)
    calls = {argument.name: case.data.get(argument.name, argument.data) for argument in task.arguments}
    return {name: call for name, call in calls.items() if call is not None}


def explain(comparisons: Sequence[Comparison], where: str, *, omissions: bool = False) -> str:
    """Return what is wrong with the outputs of one run.

    Args:
        comparisons: One for every output.
        where: The case, from `describe_case`.
        omissions: From `shows_omissions`.
    """
    parts = [
        _explain_output(comparison, omissions=omissions) for comparison in comparisons if comparison.wrong
    ]
    right = [comparison.output for comparison in comparisons if not comparison.wrong]
    if right:
        parts.append(f"Right: {', '.join(right)}.")
    return shorten(f"Wrong result at {where}. " + " ".join(parts))


def _explain_output(comparison: Comparison, *, omissions: bool) -> str:
    name = comparison.output
    shape = " x ".join(map(str, comparison.shape))
    head = f"{name} ({shape}): {comparison.wrong} of {comparison.total} elements wrong"
    if comparison.unwritten:
        head += f", {comparison.unwritten} of them never written"
    shown = "; ".join(
        f"{name}[{', '.join(map(str, mismatch.index))}] got {_number(mismatch.got)}, "
        f"expected {_number(mismatch.expected)}" + (f" +- {mismatch.bound:.2g}" if mismatch.bound else "")
        for mismatch in comparison.first
    )
    hints = " ".join(_hints(comparison, omissions=omissions))
    return f"{head}. First: {shown}.{' ' + hints if hints else ''}"


def _number(value: float | int | str) -> str:
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _hints(comparison: Comparison, *, omissions: bool) -> list[str]:
    hints: list[str] = []
    if comparison.unwritten == comparison.wrong:
        hints.append("Every wrong element was never written: are there enough threads and blocks?")
    elif comparison.nans == comparison.wrong:
        hints.append("Every wrong element is NaN: uninitialised values, 0/0, inf-inf or an overflow.")
    for axis, (size, low, high) in enumerate(
        zip(comparison.shape, comparison.low, comparison.high, strict=True)
    ):
        if comparison.wrong > 1 and low > 0 and low >= size // 2 and high == size - 1:
            hints.append(
                f"Wrong only from index {low} on in dimension {axis} (size {size}): the tail is not handled."
            )
    if math.isfinite(comparison.worst_ratio) and comparison.worst_ratio < _SMALL_ERROR:
        lost = "precision was lost, look at the order of sums, approximate functions and low-precision accumulators"
        if omissions:
            lost = f"an element or a term was left out or counted twice, which these inputs would show, or {lost}"
        hints.append(f"The largest error is {comparison.worst_ratio:.3g} times its bound: {lost}.")
    return hints
