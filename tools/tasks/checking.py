"""Whether what a task.toml says makes sense: names, shapes, data, sizes and costs fit each other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from sandbox.dtypes import DTYPE_BYTES
from tools import expressions
from tools.expressions import CASTS, FUNCTION_NAMES, ExpressionError
from tools.reports import sizes_text
from tools.tasks.captured import captured_problem, file_problem
from tools.tasks.errors import GeneratorError, TaskError
from tools.tasks.generators import check_call
from tools.tasks.table import KeyLines, Place
from tools.tasks.task import Case, DimLimits, TaskArgument, TaskSpec, argument_size

MAX_SIZE = 2**40
"""Most elements of one argument at a benchmark size; a simulator only counts what is so large."""
MAX_TEST_ELEMENTS = 2**27
"""Most elements of all arguments of one test case: its reference alone takes 16 bytes an element."""

_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_TOP = Place()


def check_spec(spec: TaskSpec, lines: KeyLines) -> None:
    """Check what a task.toml says, as far as that can be done without its other files.

    Raises:
        TaskError: Something cannot be used; the text names file, line and what was expected.
    """
    _Checker(spec, lines).check()


def check_captured(spec: TaskSpec, files: Mapping[str, str], lines: KeyLines) -> None:
    """Hold the captured files of a task.toml, by name and in base64, against what it says of them.

    Raises:
        TaskError: One is not what it says; the text names file, line and what was expected.
    """
    for index, case in enumerate(spec.captured):
        found = captured_problem(spec, case, files)
        if found is not None:
            key, reason = found
            raise lines.error(reason, Place("captured", index), key)


class _Checker:
    def __init__(self, spec: TaskSpec, lines: KeyLines) -> None:
        self._spec = spec
        self._error = lines.error

    def check(self) -> None:
        spec, taken = self._spec, set[str]()
        if not _TASK_NAME.fullmatch(spec.name):
            raise self._error("expected a name of letters, digits, `_`, `.` and `-`", _TOP, "name")
        for name in spec.dims:
            self._fresh_name(name, taken, _TOP, "dims")
        for name, limits in spec.limits.items():
            self._limits(name, limits)
        for index, argument in enumerate(spec.arguments):
            self._argument(argument, taken, Place("args", index))
        if not any(argument.is_output for argument in spec.arguments):
            raise self._error("expected at least one argument with role out or inout", Place("args"))
        for place, case in self._cases():
            self._case(case, place)
        for index, case in enumerate(spec.tests):
            self._affordable(case, Place("test", index))
        for index, case in enumerate(spec.captured):
            if problem := file_problem(case.file):
                raise self._error(problem, Place("captured", index), "file")
        for key, text in (("flops", spec.flops), ("bytes", spec.bytes)):
            self._cost(text, key)

    def _cases(self) -> Iterator[tuple[Place, Case]]:
        for section, cases in (
            ("test", self._spec.tests),
            ("bench", self._spec.benches),
            ("final", self._spec.finals),
            ("captured", self._spec.captured),
        ):
            for index, case in enumerate(cases):
                yield Place(section, index), case

    def _fresh_name(self, name: str, taken: set[str], place: Place, key: str) -> None:
        if not _NAME.fullmatch(name):
            reason = f"expected lower-case names (letters, digits, underscores), found {name!r}"
            raise self._error(reason, place, key)
        if name in FUNCTION_NAMES or name in CASTS:
            raise self._error(f"expected another name: `{name}` is a function", place, key)
        if name in taken:
            raise self._error(f"expected different names, found `{name}` twice", place, key)
        taken.add(name)

    def _limits(self, name: str, limits: DimLimits) -> None:
        place = Place(f"dims.{name}")
        low, high, unit = limits.min or 1, limits.max, limits.multiple_of or 1
        if high is not None and high < low:
            raise self._error(f"expected at least min ({low}), found {high}", place, "max")
        if high is not None and high // unit * unit < low:
            raise self._error(f"expected a multiple of {unit} from {low} to {high}", place, "multiple_of")

    def _within(self, name: str, size: int, place: Place) -> None:
        limits = self._spec.limits.get(name, DimLimits())
        if limits.min is not None and size < limits.min:
            wanted = f"at least {limits.min} ([dims.{name}] min)"
        elif limits.max is not None and size > limits.max:
            wanted = f"at most {limits.max} ([dims.{name}] max)"
        elif size % (limits.multiple_of or 1):
            wanted = f"a multiple of {limits.multiple_of} ([dims.{name}] multiple_of)"
        else:
            return
        raise self._error(f"expected {wanted} for {name}, found {size}", place, "dims")

    def _argument(self, argument: TaskArgument, taken: set[str], place: Place) -> None:
        self._fresh_name(argument.name, taken, place, "name")
        if argument.dtype not in DTYPE_BYTES:
            reason = f"expected one of {', '.join(DTYPE_BYTES)}, found `{argument.dtype}`"
            raise self._error(reason, place, "dtype")
        if argument.is_scalar and argument.shape:
            raise self._error("expected no shape for a scalar", place, "shape")
        if not argument.is_scalar and not argument.shape:
            raise self._error("expected a text, found nothing", place, "shape")
        for side in argument.shape:
            self._expression(side, place, "shape")
        if argument.role == "out" and argument.data is not None:
            raise self._error("expected no data for an output", place, "data")
        if argument.trivial and not argument.is_output:
            raise self._error("expected it on outputs alone", place, "trivial")
        if argument.trivial and not argument.reason:
            raise self._error("expected a text: why this output is zero or constant", place, "reason")
        if argument.role != "out":
            if argument.data is None:
                raise self._error("expected a text, found nothing", place, "data")
            self._call(argument.data, argument.dtype, place)

    def _expression(self, text: str, place: Place, key: str) -> None:
        try:
            names = expressions.parse(text).names
        except ExpressionError as error:
            raise self._error(str(error), place, key) from None
        dims = self._spec.dims
        if unknown := sorted(names - set(dims)):
            reason = f"expected only dims ({', '.join(dims)}), found `{unknown[0]}`"
            raise self._error(reason, place, key)

    def _call(self, call: str, dtype: str, place: Place) -> None:
        try:
            check_call(call, dtype)
        except GeneratorError as error:
            raise self._error(str(error), place, "data") from None

    def _case(self, case: Case, place: Place) -> None:
        dims, arguments = self._spec.dims, self._spec.arguments
        if missing := [name for name in dims if name not in case.dims]:
            reason = f"expected a size of at least 1 for {missing[0]}, found nothing"
            raise self._error(reason, place, "dims")
        if unknown := [name for name in case.dims if name not in dims]:
            raise self._error(f"expected only {', '.join(dims)}, found `{unknown[0]}`", place, "dims")
        for name, size in case.dims.items():
            self._within(name, size, place)
        filled = {argument.name: argument for argument in arguments if argument.data is not None}
        for name, call in case.data.items():
            if name not in filled:
                reason = f"expected an input ({', '.join(filled)}), found `{name}`"
                raise self._error(reason, place, "data")
            self._call(call, filled[name].dtype, place)
        for argument in arguments:
            self._size(argument, case, place)

    def _affordable(self, case: Case, place: Place) -> None:
        elements = sum(math.prod(argument_size(argument, case.dims)) for argument in self._spec.arguments)
        if elements > MAX_TEST_ELEMENTS:
            sizes = sizes_text(case.dims)
            raise self._error(
                f"expected a test case of at most {MAX_TEST_ELEMENTS} elements in all arguments, found {elements} at"
                f" {sizes}: every test runs in full; large sizes belong into [[bench]]",
                place,
                "dims",
            )

    def _size(self, argument: TaskArgument, case: Case, place: Place) -> None:
        try:
            shape = argument_size(argument, case.dims)
        except TaskError as error:
            raise self._error(str(error), place, "dims") from None
        if math.prod(shape) > MAX_SIZE:
            raise self._error(f"expected fewer elements in {argument.name}, found {shape}", place, "dims")

    def _cost(self, text: str, key: str) -> None:
        place = Place("cost")
        self._expression(text, place, key)
        for _, case in self._cases():
            try:
                least = expressions.parse(text).evaluate(case.dims)
            except ExpressionError as error:
                raise self._error(f"{error} for {case.dims}", place, key) from None
            if least < 0:
                raise self._error(f"expected at least 0 for {case.dims}", place, key)
