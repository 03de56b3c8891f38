"""Values that no one would draw at random, for every task: each family is what some kind of mistake cannot survive.

A candidate is tried with each family that the task's own baseline survives; `tools.judge.freezing` finds out which.
"""

from __future__ import annotations

import math

from tools.tasks.generators import parse_call
from tools.tasks.task import Case, Task, TaskArgument, argument_size

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
)
"""Generator calls, see `tools.tasks.value_families`; the last catches cancellation, as in one-pass variances."""

_WIDE = frozenset({"float32", "float64"})
_NEEDS_WIDE = frozenset({"normal(10000, 0.01)"})
_ELEMENTS = 1 << 15


def stress_case(task: Task, family: str) -> Case | None:
    """The largest cheap test case of a task with every free input drawn from a family; None where none is free.

    An input is free where the task draws it from `normal`, or from `uniform` over both signs: its other generators
    say that the values must lie in some range, or have some structure.
    """
    base = base_case(task)
    free = [argument.name for argument in task.arguments if _free(argument) and _suits(argument, family)]
    if not free:
        return None
    return Case(base.dims, base.data | dict.fromkeys(free, family))


def free_inputs(task: Task) -> list[str]:
    """The names of the inputs that any values may go into."""
    return [argument.name for argument in task.arguments if _free(argument)]


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
