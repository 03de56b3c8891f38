"""What is judged, a candidate compiled for a case, and by which rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from sandbox.budget import Budget, Work, allowed
from sandbox.plan import Plan
from sandbox.program import Program
from tools.tasks.task import Case


@dataclass(frozen=True)
class Subject:
    """A candidate, compiled for one case.

    Attributes:
        plan: Makes the plan from the values of the task's scalars.
        once: Whether one input of this case, run once, is enough.
    """

    case: Case
    program: Program
    plan: Callable[[Mapping[str, int | float]], Plan]
    once: bool = False


def size_key(dims: Mapping[str, int]) -> str:
    """What stands for the sizes of a case, whatever values its inputs have."""
    return ",".join(f"{name}={size}" for name, size in sorted(dims.items()))


@dataclass(frozen=True)
class Rules:
    """How to judge.

    Attributes:
        constants: The c of the error bound for each floating output.
        seeds: How many inputs a case is tried with.
        seconds: Of processor time for one run; of wall time on a GPU.
        width: How many runs may be under way at once.
        works: What the task's baseline did at a size, by `size_key`; where none is known, a run has no limit on work.
    """

    constants: Mapping[str, float]
    seeds: int = 2
    seconds: float = 60.0
    width: int = 1
    works: Mapping[str, Work] = field(default_factory=dict[str, Work])

    def budget(self, case: Case) -> Budget:
        """What one run at a case's size may cost; at a size of its own as much as at the most laborious one."""
        if not self.works:
            return Budget(self.seconds)
        most = reduce(Work.largest, self.works.values())
        baseline = self.works.get(size_key(case.dims), most)
        return Budget(self.seconds, allowed(baseline), baseline)
