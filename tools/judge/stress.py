"""Values that no one would draw at random, for every task: each family is what some kind of mistake cannot survive.

A candidate is tried with each family that the task's own baseline survives; `tools.judge.freezing` finds out which.
"""

from __future__ import annotations

from tools.tasks.generators import parse_call
from tools.tasks.task import Case, Task, TaskArgument, case_elements

SCALED = "scaled"
"""The family that multiplies what a task draws; floating point arithmetic commutes with powers of two."""

SPIKES = "spikes"
"""The family that puts huge elements among what a task draws; benchmark shapes are judged on it too."""

EXTREMES = "extremes"
"""The family of the whole numbers at either end of the range that a task draws from."""

FACTORS = {"float16": 4, "bfloat16": 256, "float32": 256, "float64": 256}
"""What inputs are multiplied by; within the range of halves that come from `normal(0, 1)`."""

FAMILIES = (
    "constant(0)",
    "constant(1)",
    "one_hot()",
    "ties(3)",
    "integers(-4, 4)",
    "permutation()",
    "large()",
    "tiny()",
    "denormal()",
    "mixed()",
    "normal(10000, 0.01)",
    "normal(-10000, 0.01)",
    "large(1e+30)",
    "normal(-1e+30, 1e+28)",
    "integers(16777216, 16777232)",
    SCALED,
    SPIKES,
    EXTREMES,
)
"""Generator calls, see `tools.tasks.value_families`, and what follows from the task's own values.

An offset with a small spread catches cancellation, as in one-pass variances, and below zero a maximum that starts at
zero, or at a number that somebody took for low enough; multiples and huge values catch a clamp, a threshold or a
narrow intermediate; neighbours beyond 2**24 catch float32 where more was asked for. Infinities, NaN and the largest
float32 are not among them: right kernels differ there.
"""

TELLING = frozenset({"large()", "mixed()", "large(1e+30)", "normal(-1e+30, 1e+28)", SCALED, SPIKES})
"""Families whose elements differ and are far from what a task draws: what is left out shows, and what overflows."""

_WIDE = frozenset({"float32", "float64"})
_NEEDS_WIDE = frozenset(
    {
        "normal(10000, 0.01)",
        "normal(-10000, 0.01)",
        "large(1e+30)",
        "normal(-1e+30, 1e+28)",
        "integers(16777216, 16777232)",
        SPIKES,
    }
)
_ELEMENTS = 1 << 15


def stress_case(task: Task, family: str) -> Case | None:
    """The largest cheap test case of a task with every free input drawn from a family; None where none is free.

    An input is free where the task draws it from `normal`, or from `uniform` over both signs: its other generators
    say that the values must lie in some range, or have some structure. Those of `integers` are free for `EXTREMES`.
    """
    base = base_case(task)
    data = stress_data(task, family)
    return Case(base.dims, base.data | data) if data else None


def stress_data(task: Task, family: str, turn: int = 0) -> dict[str, str]:
    """Return the generator calls of a family for the inputs of a task that are free; empty where none is.

    Huge elements are put into one input: where two of them meet in a product, nothing else counts beside it.
    """
    free = [argument for argument in task.arguments if _free(argument, family) and _suits(argument, family)]
    if family == SPIKES and free:
        free = [free[turn % len(free)]]
    factor = min((FACTORS[argument.dtype] for argument in free if family == SCALED), default=1)
    return {one.name: _call(str(one.data), family, factor) for one in free}


def _call(own: str, family: str, factor: int) -> str:
    name, numbers = parse_call(own)
    match family:
        case "scaled":
            return _called(name, *(number * factor for number in numbers))
        case "spikes":
            mean, spread = numbers if name == "normal" else (sum(numbers) / 2, (numbers[1] - numbers[0]) / 4)
            return _called(family, mean, spread)
        case "extremes":
            return _called(family, *numbers)
        case _:
            return family


def _called(name: str, *numbers: float) -> str:
    return f"{name}({', '.join(map(repr, numbers))})"


def base_case(task: Task) -> Case:
    """The largest cheap test case."""
    sizes = {index: case_elements(task, case) for index, case in enumerate(task.tests)}
    cheap = [index for index, size in sizes.items() if size <= _ELEMENTS]
    chosen = max(cheap, key=sizes.__getitem__) if cheap else min(sizes, key=sizes.__getitem__)
    return task.tests[chosen]


def _free(argument: TaskArgument, family: str) -> bool:
    if argument.data is None or argument.is_scalar:
        return False
    name, numbers = parse_call(argument.data)
    if family == EXTREMES or "float" not in argument.dtype:
        return family == EXTREMES and name == "integers"
    return name == "normal" or (name == "uniform" and numbers[0] < 0 < numbers[1])


def _suits(argument: TaskArgument, family: str) -> bool:
    return argument.dtype in _WIDE or family not in _NEEDS_WIDE
