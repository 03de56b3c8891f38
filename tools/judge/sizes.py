"""Fresh sizes around a task's own cases, for every judgement others.

A kernel may be right at the sizes of a task's cases and wrong at the next one: a tail of two elements, a matrix that
is wider than high. Any size that the task's limits allow is fair. Where it names none, what its cases share (a
divisor, powers of two, a fixed size, two dims that are always equal) is taken to be a rule of the task.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from tools.tasks.errors import TaskError
from tools.tasks.task import Case, DimLimits, Task, argument_size

COUNT = 8
"""Fresh sizes of one judgement. Of eight, every dim has all residues modulo 8."""
_ELEMENTS = 1 << 15
_LARGE = 1 << 17
_MOST = 1 << 25
_TRIES = 32
"""To draw a size that is another: eight left three judgements in a hundred of a small task one short."""
_BESIDE = {0: 0, 1: 1, 2: 2, 6: -2, 7: -1}
"""By their residue modulo 8, sizes beside a power of two."""


def fresh_cases(task: Task, seed: int, count: int = COUNT) -> list[Case]:
    """Draw sizes that the task's cases do not try; fewer than asked, or none, where there are no others.

    Args:
        task: Whose limits and cases say what sizes there are, and whose cases how much work one may be.
        seed: Of the judgement.
        count: How many.
    """
    draw = random.Random(f"{seed}:sizes")
    dims = _dims(task)
    free = [dim for dim in dims if dim.leader(dims) is dim and dim.steps > 1]
    residues = {dim.name: draw.sample(range(8), 8) for dim in free}
    known = {tuple(case.dims[dim.name] for dim in dims) for case in task.tests}
    most = max(math.prod(case.dims.values()) for case in task.tests)
    cases: list[Case] = []
    for number in range(count if free else 0):
        for attempt in range(_TRIES):
            wanted = {dim.name: residues[dim.name][number % 8] for dim in free}
            sizes = _draw(draw, free, wanted, number, (2 * most if number == 0 else most) >> attempt)
            if number == 3:
                sizes |= _equal(draw, free, sizes, most >> attempt + 1)
            if number == 2 and attempt == 0:
                thin = draw.choice(free)
                sizes[thin.name] = thin.low
            whole = {dim.name: sizes.get(dim.leader(dims).name, dim.low) for dim in dims}
            if tuple(whole.values()) not in known and _fits(task, whole, twice=number == 0):
                known.add(tuple(whole.values()))
                cases.append(Case(whole))
                break
    return cases


def large_case(task: Task, seed: int) -> Case | None:
    """Draw a size beyond those of all cases, from half of what the task allows up.

    Only a limit that the task names says so. What no case comes near, a kernel may get wrong unseen.

    Args:
        task: Whose `[dims.n]` may have a `max`.
        seed: Of the judgement.

    Returns:
        None where no dim may be larger than in all cases, or the buffers of such a size have more than 2^25 elements.
    """
    draw = random.Random(f"{seed}:large")
    dims = _dims(task)
    largest = max(task.benches or task.tests, key=lambda case: _elements(task, case.dims))
    grow = [dim for dim in dims if dim.leader(dims) is dim and dim.high > max(dim.sizes)]
    beyond = {dim.name: size for dim in grow if (size := dim.beyond(draw)) is not None}
    if not beyond:
        return None
    whole = {dim.name: beyond.get(dim.leader(dims).name, largest.dims[dim.name]) for dim in dims}
    return Case(whole) if _elements(task, whole) <= _MOST else None


class _Dim:
    """One dim, or several that are equal in every case: its sizes there, and its limits.

    Attributes:
        low, high: Least and largest size; benchmarks' sizes count where the task names no limit.
        unit: What all sizes are multiples of.
        powers: Whether all are powers of two, and more than one.
    """

    def __init__(self, name: str, sizes: Sequence[int], limits: Sequence[DimLimits]) -> None:
        self.name = name
        self.sizes = list(sizes)
        units = [one.multiple_of for one in limits if one.multiple_of is not None]
        lows = [one.min for one in limits if one.min is not None]
        highs = [one.max for one in limits if one.max is not None]
        self.unit = math.lcm(*units) if units else math.gcd(*sizes)
        self.low = -(-max(lows or [min(sizes)]) // self.unit) * self.unit
        self.high = min(highs or [max(sizes)]) // self.unit * self.unit
        powers = len(set(sizes)) > 1 and all(size & (size - 1) == 0 for size in sizes)
        self.powers = powers and not units

    @property
    def steps(self) -> int:
        """How many sizes there are to draw from."""
        return (self.high - self.low) // self.unit + 1

    def leader(self, dims: Sequence[_Dim]) -> _Dim:
        """The first dim that is as large as this one in every case."""
        return next(dim for dim in dims if dim.sizes == self.sizes)

    def near(self, wanted: float, residue: int, draw: random.Random) -> int:
        """A size of about as much as wanted, of a residue modulo 8 in units.

        Half of those that can be are beside a power of two, half of the others notable otherwise.
        """
        size = max(self.low, min(self.high, round(wanted)))
        if self.powers:
            power = 1 << (size.bit_length() - 1 + draw.randrange(2))
            return power if self.low <= power <= self.high else 1 << (self.high.bit_length() - 1)
        units = size // self.unit
        beside = 1 << (units.bit_length() - 1)
        if draw.randrange(2) and units > 4 and residue in _BESIDE and beside >= 8:
            units = beside + _BESIDE[residue]
        else:
            units += (residue - units) % 8
            units = _notable(units, draw) if draw.randrange(2) else units
        return max(self.low, min(units * self.unit, self.high))

    def beyond(self, draw: random.Random) -> int | None:
        """A size above those of all cases, from half of what is allowed up; None where none came."""
        most = max(self.sizes)
        for _ in range(_TRIES):
            wanted = draw.uniform(max(self.high / 2, most), self.high)
            if (size := self.near(wanted, draw.randrange(8), draw)) > most:
                return size
        return None


def _dims(task: Task) -> list[_Dim]:
    cases = (*task.tests, *task.benches)
    sizes = {name: tuple(case.dims[name] for case in cases) for name in task.dims}
    limits = {
        known: [task.limits[name] for name in task.dims if sizes[name] == known and name in task.limits]
        for known in sizes.values()
    }
    return [_Dim(name, known, limits[known]) for name, known in sizes.items()]


def _notable(units: int, draw: random.Random) -> int:
    """A multiple of a block where the size is one of 8, a prime of the same residue where it is odd."""
    if units % 8 == 0 and units:
        return units // (block := 1 << draw.randrange(3, min(units.bit_length(), 10))) * block
    return _prime(units) if units % 2 and units > 16 else units


def _prime(units: int) -> int:
    """The next prime of the same residue modulo 8; there is one soon."""
    steps = range(units, units + 512, 8)
    return next(
        (one for one in steps if one > 1 and all(one % k for k in range(2, math.isqrt(one) + 1))), units
    )


def _draw(
    draw: random.Random, free: Sequence[_Dim], residues: Mapping[str, int], number: int, most: int
) -> dict[str, int]:
    """Sizes of the free dims whose product is about `most` at the most: rising by turns, and falling.

    The first two are large, and far from square.
    """
    budget = math.log2(max(most, 2)) * draw.uniform(0.7 if number < 2 else 0.5, 1.0)
    parts = sorted(draw.uniform(0.4, 1.6) for _ in free)
    if number < 2 and len(free) > 1:
        parts = [0.5 + position / (len(free) - 1) for position in range(len(free))]
    parts = parts if number % 2 == 0 else parts[::-1]
    scale = budget / sum(parts)
    return {
        dim.name: dim.near(2.0 ** (part * scale), residues[dim.name], draw)
        for dim, part in zip(free, parts, strict=True)
    }


def _equal(draw: random.Random, free: Sequence[_Dim], sizes: Mapping[str, int], most: int) -> dict[str, int]:
    """Two of the free dims, or all, as large as each other where their limits allow: kernels know squares by that."""
    if len(free) < 2:
        return {}
    same = draw.sample(list(free), draw.choice((2, len(free))))
    unit = math.lcm(*(dim.unit for dim in same))
    others = math.prod(size for name, size in sizes.items() if name not in {dim.name for dim in same})
    wanted = (most / others) ** (1 / len(same)) * draw.uniform(0.5, 1.0)
    wanted = min(max(wanted, *(dim.low for dim in same)), *(dim.high for dim in same))
    size = max(unit, round(wanted / unit) * unit)
    allowed = all(dim.low <= size <= dim.high and not dim.powers for dim in same)
    return {dim.name: size for dim in same} if allowed else {}


def _fits(task: Task, dims: dict[str, int], *, twice: bool) -> bool:
    """Whether the case is about as cheap as those of the task, and every buffer has a size.

    One of them may be twice as large as those, within a size that costs little.
    """
    largest = max(_elements(task, case.dims) for case in task.tests)
    most = max(largest, min(2 * largest, _LARGE)) if twice else max(min(largest, _ELEMENTS), largest // 2)
    try:
        return _elements(task, dims) <= most
    except TaskError:
        return False


def _elements(task: Task, dims: dict[str, int]) -> int:
    return sum(math.prod(argument_size(argument, dims)) for argument in task.arguments)
