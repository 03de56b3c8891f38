"""What a kernel file launches at any sizes: the launch list with its expressions kept, not their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.plan import FilledConstant, LaunchMode
from tools.expressions import Expression
from tools.tasks.task import TaskArgument


@dataclass(frozen=True)
class Setting:
    """A tunable at its chosen value, or a define: a name and what it is at any sizes."""

    name: str
    value: Expression


@dataclass(frozen=True)
class ScratchBuffer:
    """Device memory for intermediate results: the product of `shape` elements of `dtype`."""

    name: str
    dtype: str
    shape: tuple[Expression, ...]

    @property
    def item_bytes(self) -> int:
        """Bytes of one element."""
        return DTYPE_BYTES[self.dtype]


@dataclass(frozen=True)
class PassedBuffer:
    """The address of a buffer."""

    name: str
    nbytes: int = 8


@dataclass(frozen=True)
class PassedScalar:
    """The value of a scalar of the task, as its own dtype."""

    name: str
    dtype: str

    @property
    def nbytes(self) -> int:
        """Bytes of the parameter."""
        return DTYPE_BYTES[self.dtype]


@dataclass(frozen=True)
class PassedNumber:
    """An expression or a literal, as `dtype`.

    Attributes:
        either_sign: The sign of the kernel's parameter is not known: values of the unsigned dtype pass too.
    """

    dtype: str
    value: Expression | float
    either_sign: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the parameter."""
        return DTYPE_BYTES[self.dtype]

    @property
    def literal(self) -> bytes | None:
        """The bytes of a literal; None for an expression."""
        if isinstance(self.value, Expression):
            return None
        return np.asarray([self.value]).astype(numpy_dtype(self.dtype)).tobytes()

    @property
    def range(self) -> tuple[int, int]:
        """The least and the largest value of an integer dtype that may be passed."""
        bits = 8 * self.nbytes
        unsigned = self.dtype.startswith("u")
        low = 0 if unsigned else -(2 ** (bits - 1))
        return low, 2**bits - 1 if unsigned or self.either_sign else 2 ** (bits - 1) - 1


@dataclass(frozen=True)
class PassedStruct:
    """A struct by value: bytes, alignment, and what lies at which offset; the rest is zero."""

    nbytes: int
    alignment: int
    members: tuple[tuple[int, PassedBuffer | PassedScalar | PassedNumber], ...]


Passed = PassedBuffer | PassedScalar | PassedNumber | PassedStruct
"""What a kernel is given for one parameter."""


@dataclass(frozen=True)
class FillStep:
    """Every element of a buffer becomes `bits`, by the kernel `kernel(address, int64 count, uint64 bits)`."""

    buffer: str
    kernel: str
    bits: int


@dataclass(frozen=True)
class LaunchStep:
    """One launch.

    Attributes:
        line: Of its directive; a variant's symbols are listed by it.
        grid: Blocks, three expressions, as are `block` (threads) and `cluster` (blocks).
    """

    line: int
    kernel: str
    grid: tuple[Expression, ...]
    block: tuple[Expression, ...]
    shared_bytes: Expression
    arguments: tuple[Passed, ...]
    mode: LaunchMode
    cluster: tuple[Expression, ...]

    @property
    def cooperative(self) -> bool:
        """Whether all of its blocks must be resident at once."""
        return self.mode is LaunchMode.COOPERATIVE

    @property
    def clustered(self) -> bool:
        """Whether blocks form clusters."""
        return self.mode is LaunchMode.CLUSTER


Step = Setting | ScratchBuffer | FillStep | LaunchStep
"""What is said, in the file's order."""


@dataclass(frozen=True)
class LaunchPlan:
    """A kernel file's launch list over the dims of its task.

    Attributes:
        dims: In the task's order.
        arguments: The task's, in its order.
        steps: In file order; a step names what stands before it.
        constants: `__constant__` arrays, filled from inputs before the first launch.
    """

    dims: tuple[str, ...]
    arguments: tuple[TaskArgument, ...]
    steps: tuple[Step, ...]
    constants: tuple[FilledConstant, ...] = ()

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Tunables and defines."""
        return tuple(step for step in self.steps if isinstance(step, Setting))

    @property
    def scratch(self) -> tuple[ScratchBuffer, ...]:
        """Its scratch buffers."""
        return tuple(step for step in self.steps if isinstance(step, ScratchBuffer))

    @property
    def launches(self) -> tuple[LaunchStep | FillStep, ...]:
        """What runs on the device, in order."""
        return tuple(step for step in self.steps if isinstance(step, LaunchStep | FillStep))

    @property
    def fills(self) -> bool:
        """Whether buffers are filled before launches."""
        return any(isinstance(step, FillStep) for step in self.steps)

    @property
    def buffers(self) -> tuple[TaskArgument, ...]:
        """The task's arguments that are passed by address."""
        return tuple(one for one in self.arguments if not one.is_scalar)

    @property
    def scalars(self) -> tuple[TaskArgument, ...]:
        """The task's arguments that are passed by value."""
        return tuple(one for one in self.arguments if one.is_scalar)

    def values(self, dims: Mapping[str, int]) -> dict[str, int]:
        """Return what every setting is at these sizes."""
        names = dict(dims)
        for one in self.settings:
            names[one.name] = one.value.evaluate(names)
        return {one.name: names[one.name] for one in self.settings}

    def sized(self) -> frozenset[str]:
        """Return the names whose values depend on sizes: dims, and the defines made of them."""
        found = set(self.dims)
        for one in self.settings:
            if one.value.names & found:
                found.add(one.name)
        return frozenset(found)
