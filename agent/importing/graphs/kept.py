"""Operators that a reference asks PyTorch for, since NumPy has no words for them, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.reference.torch_operators import said_of
from tools.tasks.task import TaskArgument


@dataclass(frozen=True)
class KeptOperator:
    """An operator that stays PyTorch's own.

    Attributes:
        node: The graph's name of it.
        operator: With its overload, as `grid_sampler_2d.default`.
        why: What the translation into NumPy lacks.
        line: Of the file that was exported; 0 where that is not known.
    """

    node: str
    operator: str
    why: str
    line: int

    @property
    def name(self) -> str:
        """As people call it."""
        return self.operator.removesuffix(".default")


def kept_notes(kept: Sequence[KeptOperator]) -> list[str]:
    """Say what a reference asks PyTorch for, and what that means."""
    if not kept:
        return []
    names = list(dict.fromkeys(one.name for one in kept))
    return [
        said_of(names),
        f"of {', '.join(names)} one operation for each element of the results is counted, less than it takes",
    ]


def baseline_wanted(
    kept: Sequence[KeptOperator], arguments: Sequence[TaskArgument], dims: Sequence[str]
) -> str:
    """Say which operators have no meaning in NumPy, and what would make a task of their problem."""
    first, *more = kept
    others = "".join(f"; {one.why} (line {one.line})" if one.line else f"; {one.why}" for one in more)
    return (
        f"{first.why}{others}. PyTorch's own operator, in float64, would be the reference; the baseline cannot be"
        f" written here then, and must be yours: {baseline_hint(arguments, dims)}"
    )


def baseline_hint(arguments: Sequence[TaskArgument], dims: Sequence[str]) -> str:
    """Say how a user gives a baseline."""
    listed = ", ".join(_shown(one) for one in arguments)
    sizes = ", ".join(dims)
    return f"--baseline KERNEL.cu, a plain kernel whose launch directive takes {listed} and the sizes {sizes}"


def _shown(argument: TaskArgument) -> str:
    sides = f"[{', '.join(argument.shape)}]" if argument.shape else ""
    return f"{argument.name} ({argument.role}, {argument.dtype}{sides})"
