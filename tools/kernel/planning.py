"""From a kernel file, a task and sizes to numbers: what to compile and what to launch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from sandbox.plan import (
    BufferArgument,
    BufferSpec,
    FilledConstant,
    Launch,
    PassedArgument,
    Plan,
    Role,
    ScalarArgument,
    StructArgument,
)
from sandbox.program import CompileRequest
from tools import expressions
from tools.expressions import Expression, ExpressionError
from tools.kernel.constant_arrays import declares
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
from tools.kernel.file import KernelFile
from tools.kernel.fills import fill_launch, fill_source
from tools.kernel.passing import (
    NULL_POINTER,
    CompiledParameter,
    UnfitError,
    in_dtype,
    member_parameter,
    pass_number,
    place,
)
from tools.kernel.sections import assembled
from tools.kernel.source_text import first_code_line, identifiers
from tools.kernel.structs import POINTER
from tools.tasks.generators import constant_scalar
from tools.tasks.task import Task, TaskArgument, TaskError, argument_size

Parameters = Mapping[str, tuple[CompiledParameter, ...]]
"""Of each launched kernel, by launched name."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def plan(
    kernel_file: KernelFile,
    task: Task,
    dims: Mapping[str, int],
    tune: Mapping[str, int] | None = None,
    scalars: Mapping[str, int | float] | None = None,
    parameters: Parameters | None = None,
) -> Plan:
    """Resolve every number of the launch list for one size.

    Args:
        kernel_file: What to launch.
        task: Gives the arguments that launches may name.
        dims: A size for every dim of the task.
        tune: Values that replace the tunables' defaults; only values that the file lists.
        scalars: Values of the task's scalars; one whose data is `constant(v)` needs none.
        parameters: What `signatures.parameters` says of the compiled kernels; numbers are then passed in the
            parameters' own types. Without it in int32, int64 or float64, and structs stay empty.

    Returns:
        The plan: the task's buffers in task order, then scratch in file order. A grid or block of 0, or one
        that no device has, is passed through for the device to refuse.

    Raises:
        KernelFileError: A directive has no value at this size, or breaks the contract.
        TaskError: A dim or a scalar has no value.
    """
    scope = _Scope(kernel_file, task, dims, tune or {}, scalars or {}, parameters or {})
    launches: list[Launch] = []
    constants: list[FilledConstant] = []
    for item in scope.steps():
        if isinstance(item, Scratch):
            scope.add_scratch(item)
        elif isinstance(item, ConstantArray):
            constants.append(scope.constant(item))
        else:
            launches.append(scope.fill(item) if isinstance(item, Fill) else scope.launch(item))
    return Plan(tuple(scope.buffers.values()), tuple(launches), constants=tuple(constants))


def compile_request(
    kernel_file: KernelFile,
    task: Task,
    dims: Mapping[str, int],
    tune: Mapping[str, int] | None,
    architecture: str,
) -> CompileRequest:
    """Say what to compile for one size.

    Tunables and defines become macros only where the code uses their name, so that a value that merely shapes
    the launch does not make the same code compile again.

    Args:
        kernel_file: What to compile.
        task: The task whose dims the directives name.
        dims: A size for every dim of the task.
        tune: Values that replace the tunables' defaults; None for the defaults.
        architecture: An `sm_XX` name.

    Raises:
        KernelFileError: A define has no value at this size, or `tune` is not possible.
        TaskError: A dim has no value.
    """
    scope = _Scope(kernel_file, task, dims, tune or {}, {}, {})
    kernels: list[str] = []
    fills: set[str] = set()
    for item in scope.steps():
        if isinstance(item, Scratch):
            scope.add_scratch(item)
        elif isinstance(item, Fill):
            fills.add(scope.fill(item).kernel)
        elif isinstance(item, ConstantArray):
            scope.constant(item)
        else:
            kernels.append(scope.kernel_name(item))
    used = identifiers(kernel_file.source)
    macros = {name: _macro(value) for name, value in scope.macros.items() if name in used}
    macros |= {name: value for one in kernel_file.options for name, value in one.macros}
    source = assembled(kernel_file.source, kernel_file.file)
    return CompileRequest(
        "".join([source, *map(fill_source, sorted(fills))]),
        architecture,
        tuple(sorted(macros.items())),
        tuple(dict.fromkeys([*kernels, *sorted(fills)])),
        kernel_file.file,
        first_code_line(source),
        options=tuple(option for one in kernel_file.options for option in one.options),
    )


def _macro(value: int) -> str:
    if value == expressions.INT64_MIN:
        return "(-9223372036854775807-1)"  # C++ has no negative literals; the positive one would not fit
    return str(value) if value >= 0 else f"({value})"


def _settings(kernel_file: KernelFile, tune: Mapping[str, int]) -> dict[str, int]:
    tunables = {tunable.name: tunable for tunable in kernel_file.tunables}
    for name, value in tune.items():
        if name not in tunables:
            known = ", ".join(tunables) or "none"
            raise kernel_file.error(f"expected one of the file's tunables ({known}), found `{name}`", 1)
        if value not in tunables[name].values:
            tried = ", ".join(map(str, tunables[name].values))
            raise kernel_file.error(
                f"expected {name} to be one of {tried}; found {value}", tunables[name].line
            )
    return kernel_file.defaults | dict(tune)


class _Scope:
    """The names and buffers a directive may use, growing from the top of the file to the bottom."""

    def __init__(
        self,
        kernel_file: KernelFile,
        task: Task,
        dims: Mapping[str, int],
        tune: Mapping[str, int],
        scalars: Mapping[str, int | float],
        parameters: Parameters,
    ) -> None:
        if missing := [name for name in task.dims if name not in dims]:
            raise TaskError(f"task {task.name}: expected a size for {', '.join(missing)}, found none")
        self._file = kernel_file
        self._tune = _settings(kernel_file, tune)
        self._task = task
        self._given = scalars
        self._parameters = parameters
        self.names: dict[str, int] = {name: dims[name] for name in task.dims}
        self.macros: dict[str, int] = {}
        self._scalars = {argument.name: argument for argument in task.arguments if argument.is_scalar}
        self.buffers: dict[str, BufferSpec] = {}
        for argument in task.arguments:
            if not argument.is_scalar:
                size = math.prod(argument_size(argument, dims))
                self.buffers[argument.name] = BufferSpec(
                    argument.name, Role(argument.role), argument.dtype, size
                )

    def steps(self) -> Iterator[Scratch | Fill | ConstantArray | LaunchDirective]:
        """Walk the directives in file order, taking in names; yield each scratch, fill and launch when reached."""
        file = self._file
        steps = [
            *file.tunables, *file.defines, *file.scratch, *file.fills, *file.constants, *file.launches,
        ]  # fmt: skip
        for item in sorted(steps, key=lambda step: step.line):
            if isinstance(item, Tunable | Define):
                self._take(item)
            else:
                yield item

    def _take(self, item: Tunable | Define) -> None:
        self._check_new(item.name, item.line)
        tuned = isinstance(item, Tunable)
        value = self._tune[item.name] if tuned else self._value(item.expression, item.line)
        self.names[item.name] = self.macros[item.name] = value

    def _check_new(self, name: str, line: int) -> None:
        taken = name in self.names or name in self.buffers or name in self._scalars
        if taken:
            raise self._file.error(f"expected a new name: task {self._task.name} has `{name}` already", line)

    def _value(self, expression: Expression, line: int) -> int:
        try:
            return expression.evaluate(self.names)
        except ExpressionError as error:
            raise self._file.error(str(error), line) from None

    def add_scratch(self, item: Scratch) -> None:
        """Add a scratch buffer; raises KernelFileError where its size is not at least 1."""
        self._check_new(item.name, item.line)
        shape = [self._value(part, item.line) for part in item.shape]
        size = math.prod(shape)
        if min(shape) < 1 or size > expressions.INT64_MAX // 8:
            found = " x ".join(map(str, shape))
            raise self._file.error(f"expected at least one element in {item.name}, found {found}", item.line)
        self.buffers[item.name] = BufferSpec(item.name, Role.SCRATCH, item.dtype, size)

    def constant(self, item: ConstantArray) -> FilledConstant:
        """Resolve what a constant array holds; raises KernelFileError where it, or the input, is not there."""
        if not declares(self._file.source, item.name):
            form = f"`__constant__ TYPE {item.name}[SIZE];`"
            raise self._file.error(f"expected {form} in the file, without `const` or a value", item.line)
        buffer = self.buffers.get(item.buffer)
        if buffer is None or buffer.role is not Role.IN:
            known = ", ".join(name for name, one in self.buffers.items() if one.role is Role.IN)
            raise self._file.error(f"expected an input ({known}), found `{item.buffer}`", item.line)
        return FilledConstant(item.name, item.buffer)

    def fill(self, item: Fill) -> Launch:
        """Resolve one fill; raises KernelFileError where it names no output or scratch, or the value does not fit."""
        buffer = self.buffers.get(item.name)
        if buffer is None or buffer.role is Role.IN:
            known = ", ".join(name for name, one in self.buffers.items() if one.role is not Role.IN)
            raise self._file.error(
                f"expected an output or a scratch buffer known here ({known}), found `{item.name}`", item.line
            )
        try:
            return fill_launch(buffer, item.value, item.line)
        except (OverflowError, ValueError):
            raise self._file.error(f"expected a value of {buffer.dtype} for {item.name}", item.line) from None

    def kernel_name(self, item: LaunchDirective) -> str:
        """The name to launch by; tunables and defines in a template's arguments become their values."""
        if item.template is None:
            return item.kernel
        template = _NAME.sub(lambda match: str(self.macros.get(match[0], match[0])), item.template)
        return f"{item.kernel}<{template}>"

    def launch(self, item: LaunchDirective) -> Launch:
        """Resolve one launch."""
        shared = self._value(item.shared_bytes, item.line)
        if shared < 0:
            raise self._file.error(
                f"expected dynamic shared memory of at least 0 bytes, found {shared}", item.line
            )
        kernel = self.kernel_name(item)
        return Launch(
            kernel,
            self._extent(item.grid, "grid", item.line),
            self._extent(item.block, "block", item.line),
            shared,
            self._arguments(kernel, item),
            item.line,
            item.mode,
            self._extent(item.cluster, "cluster", item.line),
        )

    def _arguments(self, kernel: str, item: LaunchDirective) -> tuple[PassedArgument, ...]:
        wanted: tuple[CompiledParameter | None, ...] = self._parameters.get(kernel, ())
        if len(wanted) != len(item.arguments):
            wanted = (None,) * len(item.arguments)
        found: list[PassedArgument] = []
        for index, (argument, parameter) in enumerate(zip(item.arguments, wanted, strict=True)):
            try:
                found.append(self._argument(argument, parameter, item.line))
            except UnfitError as error:
                where = "" if parameter is None else f"{place(kernel, index, parameter)}: "
                raise self._file.error(f"{where}{error}", item.line) from None
        return tuple(found)

    def _extent(self, parts: tuple[Expression, ...], what: str, line: int) -> tuple[int, int, int]:
        values = [self._value(part, line) for part in parts]
        if values and min(values) < 0:
            raise self._file.error(f"expected a {what} without negative numbers, found {min(values)}", line)
        x, y, z = [*values, 1, 1, 1][:3]
        return x, y, z

    def _argument(
        self, argument: LaunchArgument, parameter: CompiledParameter | None, line: int
    ) -> PassedArgument:
        if argument.name in self.buffers:
            return BufferArgument(argument.name)
        if argument.name in self._scalars:
            return self._scalar(self._scalars[argument.name])
        if argument.name == NULL:
            return NULL_POINTER
        if isinstance(argument.value, tuple):
            return self._struct(argument.value, parameter, line)
        value = argument.value
        if isinstance(value, Expression):
            self._check_argument(argument, value, line)
            value = self._value(value, line)
        if parameter is None:
            natural = "float64" if isinstance(value, float) else "int32" if _fits_int32(value) else "int64"
            return in_dtype(value, argument.dtype or natural)
        return pass_number(value, argument.dtype, parameter)

    def _struct(
        self, members: tuple[LaunchArgument, ...], parameter: CompiledParameter | None, line: int
    ) -> StructArgument:
        if parameter is None:
            return StructArgument(0, ())
        layout = parameter.layout
        if layout is None:
            raise UnfitError("expected no struct here, or its declaration is more than a list of members")
        if len(members) != len(layout.members):
            expected = f"{len(layout.members)} members ({layout.kinds})"
            raise UnfitError(f"expected {expected}, found {len(members)}")
        placed: list[tuple[int, BufferArgument | ScalarArgument]] = []
        for written, member in zip(members, layout.members, strict=True):
            value = self._argument(written, member_parameter(member.dtype), line)
            if isinstance(value, StructArgument) or (
                isinstance(value, BufferArgument) and member.dtype != POINTER
            ):
                raise UnfitError(f"expected a {member.dtype} as member, found `{written.text}`")
            placed.append((member.offset, value))
        return StructArgument(layout.size, tuple(placed))

    def _check_argument(self, argument: LaunchArgument, expression: Expression, line: int) -> None:
        for name in sorted(expression.names - self.names.keys()):
            if name in self.buffers or name in self._scalars:
                reason = f"expected `{name}` to be passed alone, found it inside `{argument.text}`"
            else:
                known = ", ".join([*self.buffers, *self._scalars, *self.names])
                reason = f"expected a launch argument known here ({known}), found `{name}`{self._later(name)}"
            raise self._file.error(reason, line)

    def _later(self, name: str) -> str:
        """Say where a name that is not known yet is declared further down; empty where it is not."""
        below = (*self._file.tunables, *self._file.defines, *self._file.scratch)
        lines = [item.line for item in below if item.name == name]
        return (
            f", which line {lines[0]} declares: move that line up, directives are read in order"
            if lines
            else ""
        )

    def _scalar(self, argument: TaskArgument) -> ScalarArgument:
        value = self._given.get(argument.name, constant_scalar(argument))
        if value is None:
            raise TaskError(
                f"task {self._task.name}: expected a value for scalar {argument.name}, found none"
            )
        return ScalarArgument(argument.dtype, value)


def _fits_int32(value: int) -> bool:
    return -(2**31) <= value < 2**31
