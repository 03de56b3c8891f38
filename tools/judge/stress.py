"""Values that no one would draw at random, for every task: each family is what some kind of mistake cannot survive.

A candidate is tried with each family that the task's own baseline survives; `tools.judge.freezing` finds out which.
"""

from __future__ import annotations

import math

from tools.tasks.generators import parse_call
from tools.tasks.task import Case, Task, TaskArgument, argument_size

SCALED = "scaled"
"""The family that multiplies what a task draws; floating point arithmetic commutes with powers of two."""

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
    SCALED,
)
"""Generator calls, see `tools.tasks.value_families`, and the task's own values times a power of two.

An offset with a small spread catches cancellation, as in one-pass variances, and below zero a maximum that starts at
zero; multiples and huge values catch a clamp, a threshold or a narrow intermediate.
"""

_WIDE = frozenset({"float32", "float64"})
_NEEDS_WIDE = frozenset({"normal(10000, 0.01)", "normal(-10000, 0.01)", "large(1e+30)"})
_ELEMENTS = 1 << 15


def stress_case(task: Task, family: str) -> Case | None:
    """The largest cheap test case of a task with every free input drawn from a family; None where none is free.

    An input is free where the task draws it from `normal`, or from `uniform` over both signs: its other generators
    say that the values must lie in some range, or have some structure.
    """
    base = base_case(task)
    free = [argument for argument in task.arguments if _free(argument) and _suits(argument, family)]
    if not free:
        return None
    factor = min(FACTORS[argument.dtype] for argument in free)
    data = {one.name: _scaled(str(one.data), factor) if family == SCALED else family for one in free}
    return Case(base.dims, base.data | data)


def _scaled(call: str, factor: int) -> str:
    name, numbers = parse_call(call)
    return f"{name}({', '.join(repr(number * factor) for number in numbers)})"


def base_case(task: Task) -> Case:
    """The largest cheap test case."""
    sizes = {index: _elements(task, case) for index, case in enumerate(task.tests)}
    cheap = [index for index, size in sizes.items() if size <= _ELEMENTS]
    chosen = max(cheap, key=sizes.__getitem__) if cheap else min(sizes, key=sizes.__getitem__)
    return task.tests[chosen]


def _elements(task: Task, case: Case) -> int:
    return sum(math.prod(argument_size(argument, case.dims)) for argument in task.arguments)


def _free(argument: TaskArgument) -> bool:
    if argument.data is None or argument.is_scalar or "float" not in argument.dtype:
        return False
    name, numbers = parse_call(argument.data)
    return name == "normal" or (name == "uniform" and numbers[0] < 0 < numbers[1])


def _suits(argument: TaskArgument, family: str) -> bool:
    return argument.dtype in _WIDE or family not in _NEEDS_WIDE
