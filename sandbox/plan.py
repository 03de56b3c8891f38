"""What a device is asked to run: buffers and an ordered list of launches, all numbers resolved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from sandbox.dtypes import DTYPE_BYTES


class Role(StrEnum):
    """What a buffer is for."""

    IN = "in"
    OUT = "out"
    INOUT = "inout"
    SCRATCH = "scratch"


class LaunchMode(StrEnum):
    """How a kernel is launched."""

    NORMAL = "normal"
    COOPERATIVE = "cooperative"
    CLUSTER = "cluster"


@dataclass(frozen=True)
class BufferSpec:
    """A device buffer: `size` elements of NumPy-named `dtype` (bfloat16 through ml_dtypes)."""

    name: str
    role: Role
    dtype: str
    size: int

    @property
    def nbytes(self) -> int:
        """Bytes of the buffer."""
        return self.size * DTYPE_BYTES[self.dtype]


@dataclass(frozen=True)
class BufferArgument:
    """A pointer to the buffer of that name."""

    name: str


@dataclass(frozen=True)
class ScalarArgument:
    """A value passed by value, as `dtype` (int32, int64, float32, float64, ...)."""

    dtype: str
    value: int | float


@dataclass(frozen=True)
class StructArgument:
    """A struct passed by value.

    Attributes:
        size: Bytes of the parameter; what no member covers is zero.
        members: Byte offset and value of each member.
    """

    size: int
    members: tuple[tuple[int, BufferArgument | ScalarArgument], ...]


PassedArgument = BufferArgument | ScalarArgument | StructArgument
"""What a kernel is given for one parameter."""


@dataclass(frozen=True)
class Launch:
    """One kernel launch.

    Attributes:
        kernel: The name as written in the kernel file; `Program.symbols` maps it to the symbol.
        grid: Blocks in x, y, z.
        block: Threads in x, y, z.
        shared_bytes: Dynamic shared memory per block, bytes.
        line: Line of the launch directive in the kernel file.
    """

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    arguments: tuple[PassedArgument, ...]
    line: int
    mode: LaunchMode = LaunchMode.NORMAL
    cluster: tuple[int, int, int] = (1, 1, 1)

    @property
    def block_threads(self) -> int:
        """Threads in a block."""
        return math.prod(self.block)

    @property
    def threads(self) -> int:
        """Threads in all blocks."""
        return math.prod(self.grid) * self.block_threads


@dataclass(frozen=True)
class FilledConstant:
    """A `__constant__` array that holds an input while a plan runs, as far as either goes.

    Attributes:
        symbol: Its name in PTX and cubin.
        buffer: Name of the input.
    """

    symbol: str
    buffer: str


@dataclass(frozen=True)
class Plan:
    """One run: the launch list, executed once and in order over these buffers.

    Attributes:
        constants: What constant memory holds before the first launch.
        sampled: About how many blocks of it a simulator runs, drawn by the seed of the run; 0 for all of them.
        whole: A profile counts every block, whatever it costs; a sample was found to say too little.
    """

    buffers: tuple[BufferSpec, ...]
    launches: tuple[Launch, ...]
    sampled: int = 0
    constants: tuple[FilledConstant, ...] = ()
    whole: bool = False

    @property
    def buffer_bytes(self) -> int:
        """Of all its buffers together."""
        return sum(buffer.nbytes for buffer in self.buffers)
