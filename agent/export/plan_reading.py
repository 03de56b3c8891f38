"""From a kernel file that was compiled for one size to its launch plan for all of them.

Which types numbers are passed in is read off the plan that the judge uses at that size.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.export.plans import (
    FillStep,
    LaunchPlan,
    LaunchStep,
    Passed,
    PassedBuffer,
    PassedNumber,
    PassedScalar,
    PassedStruct,
    ScratchBuffer,
    Setting,
    Step,
)
from sandbox.plan import BufferArgument, Launch, PassedArgument, Plan, ScalarArgument, StructArgument
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

_ONE = parse("1")


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
