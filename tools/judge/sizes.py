"""Fresh sizes around a task's own cases, for every judgement others.

A kernel may be right at the sizes of a task's cases and wrong at the next one: a tail of two elements, a matrix that
is wider than high. Any size that the cases allow is fair; what they share (a divisor, powers of two, a fixed size,
two dims that are always equal) is taken to be a rule of the task.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from tools.tasks.errors import TaskError
from tools.tasks.task import Case, Task, argument_size

COUNT = 4
"""Fresh sizes of one judgement. Of four, every dim has all residues modulo 4."""
_ELEMENTS = 1 << 15
_TRIES = 8


def fresh_cases(task: Task, seed: int, count: int = COUNT) -> list[Case]:
    """Draw sizes that the task's cases do not try; fewer than asked, or none, where the cases leave none.

    Args:
        task: Whose cases say what sizes there are, and how much work a case may be.
        seed: Of the judgement.
        count: How many.
    """
    draw = random.Random(f"{seed}:sizes")
    dims = [_Dim(name, [case.dims[name] for case in (*task.tests, *task.benches)]) for name in task.dims]
    free = [dim for dim in dims if dim.leader(dims) is dim and dim.steps > 1]
    residues = {dim.name: draw.sample(range(4), 4) for dim in free}
    known = {tuple(case.dims[dim.name] for dim in dims) for case in task.tests}
    most = max(math.prod(case.dims.values()) for case in task.tests)
    cases: list[Case] = []
    for number in range(count if free else 0):
        for attempt in range(_TRIES):
            wanted = {dim.name: residues[dim.name][number % 4] for dim in free}
            sizes = _draw(draw, free, wanted, number, most >> attempt)
            whole = {dim.name: sizes.get(dim.leader(dims).name, dim.low) for dim in dims}
            if tuple(whole.values()) not in known and _fits(task, whole):
                known.add(tuple(whole.values()))
                cases.append(Case(whole))
                break
    return cases


class _Dim:
    """One dim and what the sizes of a task's cases say of it.

    Attributes:
        low, high: Least and largest size of all cases, benchmarks included.
        unit: What all sizes are multiples of.
        powers: Whether all are powers of two, and more than one.
    """

    def __init__(self, name: str, sizes: Sequence[int]) -> None:
        self.name = name
        self.sizes = list(sizes)
        self.low = min(sizes)
        self.high = max(sizes)
        self.unit = math.gcd(*sizes)
        self.powers = len(set(sizes)) > 1 and all(size & (size - 1) == 0 for size in sizes)

    @property
    def steps(self) -> int:
        """How many sizes there are to draw from."""
        return (self.high - self.low) // self.unit + 1

    def leader(self, dims: Sequence[_Dim]) -> _Dim:
        """The first dim that is as large as this one in every case."""
        return next(dim for dim in dims if dim.sizes == self.sizes)

    def near(self, wanted: float, residue: int, draw: random.Random) -> int:
        """A size of about as much as wanted, of a residue modulo 4 in units; half of them beside a power of two."""
        size = max(self.low, min(self.high, round(wanted)))
        if self.powers:
            return min(1 << (size.bit_length() - 1 + draw.randrange(2)), self.high)
        units = size // self.unit
        if draw.randrange(2) and units > 4:
            units = 1 << (units.bit_length() - 1)
            units += {0: 0, 1: 1, 2: draw.choice((-2, 2)), 3: -1}[residue]
        else:
            units += (residue - units) % 4
        return max(self.low, min(units * self.unit, self.high // self.unit * self.unit))


def _draw(
    draw: random.Random, free: Sequence[_Dim], residues: dict[str, int], number: int, most: int
) -> dict[str, int]:
    """Sizes of the free dims whose product is about `most` at the most: rising by turns, and falling.

    The first two are large, and far from square.
    """
    budget = math.log2(max(most, 2)) * draw.uniform(0.7 if number < 2 else 0.2, 1.0)
    parts = sorted(draw.uniform(0.4, 1.6) for _ in free)
    if number < 2 and len(free) > 1:
        parts = [0.5 + position / (len(free) - 1) for position in range(len(free))]
    parts = parts if number % 2 == 0 else parts[::-1]
    scale = budget / sum(parts)
    return {
        dim.name: dim.near(2.0 ** (part * scale), residues[dim.name], draw)
        for dim, part in zip(free, parts, strict=True)
    }


def _fits(task: Task, dims: dict[str, int]) -> bool:
    """Whether the case is about as cheap as those of the task, and every buffer has a size."""
    largest = max(_elements(task, case.dims) for case in task.tests)
    try:
        return _elements(task, dims) <= max(min(largest, _ELEMENTS), largest // 2)
    except TaskError:
        return False


def _elements(task: Task, dims: dict[str, int]) -> int:
    return sum(math.prod(argument_size(argument, dims)) for argument in task.arguments)
