"""What a kernel file launches at any sizes: the launch list with its expressions kept, not their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.plan import (
    BufferArgument,
    FilledConstant,
    Launch,
    LaunchMode,
    PassedArgument,
    Plan,
    ScalarArgument,
    StructArgument,
)
from tools.expressions import Expression, parse
from tools.kernel.directives import (
    NULL,
    ConstantArray,
    Define,
    Fill,
    LaunchArgument,
    LaunchDirective,
    Scratch,
    Tunable,
)
from tools.kernel.fills import fill_name
from tools.kernel.passing import KINDS, CompiledParameter
from tools.stages.compiling import Build, any_scalars
from tools.tasks.task import TaskArgument

_ONE = parse("1")


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


def launch_plan(build: Build) -> LaunchPlan:
    """Return the launch list of a kernel file that was compiled for one size; it holds for every size.

    Raises:
        KernelFileError: The file breaks the contract.
    """
    concrete = build.plan(any_scalars(build.task))
    return LaunchPlan(
        build.task.dims, build.task.arguments, tuple(_PlanReader(build, concrete).steps()), concrete.constants
    )


class _PlanReader:
    """Reads directives beside the plan of one size, which says in which types numbers are passed."""

    def __init__(self, build: Build, concrete: Plan) -> None:
        self._build = build
        self._launches = {launch.line: launch for launch in concrete.launches}
        self._dtypes = {buffer.name: buffer for buffer in concrete.buffers}
        self._scalars = {argument.name for argument in build.task.arguments if argument.is_scalar}

    def steps(self) -> Iterator[Step]:
        file = self._build.kernel_file
        steps = (
            *file.tunables, *file.defines, *file.scratch, *file.fills, *file.constants, *file.launches,
        )  # fmt: skip
        for item in sorted(steps, key=lambda step: step.line):
            if not isinstance(item, ConstantArray):
                yield self._step(item)

    def _step(self, item: Tunable | Define | Scratch | Fill | LaunchDirective) -> Step:
        match item:
            case Tunable():
                return Setting(item.name, parse(str(self._build.tune[item.name])))
            case Define():
                return Setting(item.name, item.expression)
            case Scratch():
                return ScratchBuffer(item.name, item.dtype, item.shape)
            case Fill():
                return self._fill(item)
            case LaunchDirective():
                return self._launch(item)

    def _fill(self, item: Fill) -> FillStep:
        bits = self._launches[item.line].arguments[2]
        assert isinstance(bits, ScalarArgument), "the fill's own kernel takes it"
        return FillStep(item.name, fill_name(self._dtypes[item.name]), int(bits.value))

    def _launch(self, item: LaunchDirective) -> LaunchStep:
        launch = self._launches[item.line]
        wanted = self._build.parameters[launch.kernel]
        return LaunchStep(
            item.line,
            launch.kernel,
            _three(item.grid),
            _three(item.block),
            item.shared_bytes,
            tuple(self._passed(launch, item, wanted, index) for index in range(len(item.arguments))),
            item.mode,
            _three(item.cluster),
        )

    def _passed(
        self, launch: Launch, item: LaunchDirective, wanted: tuple[CompiledParameter, ...], index: int
    ) -> Passed:
        written, passed, parameter = item.arguments[index], launch.arguments[index], wanted[index]
        if not isinstance(passed, StructArgument):
            return self._single(written, passed, parameter)
        assert isinstance(written.value, tuple), "a struct is written so"
        assert parameter.layout is not None, "it was laid out by it"
        members = zip(written.value, passed.members, strict=True)
        placed = tuple((offset, self._single(one, value, None)) for one, (offset, value) in members)
        return PassedStruct(passed.size, parameter.layout.alignment, placed)

    def _single(
        self, written: LaunchArgument, passed: PassedArgument, parameter: CompiledParameter | None
    ) -> PassedBuffer | PassedScalar | PassedNumber:
        if isinstance(passed, BufferArgument):
            return PassedBuffer(passed.name)
        assert isinstance(passed, ScalarArgument), "structs do not nest"
        if written.name in self._scalars:
            assert written.name is not None
            return PassedScalar(written.name, passed.dtype)
        if written.name == NULL:
            return PassedNumber("uint64", parse("0"))
        assert not isinstance(written.value, tuple), "no struct"
        either = parameter is not None and _either_sign(written, passed, parameter)
        dtype = passed.dtype.removeprefix("u") if either else passed.dtype
        return PassedNumber(dtype, written.value, either)


def _either_sign(written: LaunchArgument, passed: ScalarArgument, parameter: CompiledParameter) -> bool:
    """Whether `pass_number` chose the sign by the value, for neither the source nor the line says it."""
    asked = written.dtype is not None and parameter.kind in KINDS[written.dtype]
    return parameter.dtype is None and not asked and "int" in passed.dtype


def _three(parts: tuple[Expression, ...]) -> tuple[Expression, ...]:
    return (*parts, _ONE, _ONE, _ONE)[:3]
