"""Reads task.toml: checks every key, and says in which line what was expected."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from sandbox.plan import Role
from tools import expressions
from tools.expressions import CASTS, FUNCTION_NAMES, ExpressionError, split_arguments
from tools.tasks.generators import GeneratorError, check_call
from tools.tasks.task import DTYPE_BYTES, Case, Target, TaskArgument, TaskError, argument_size

MAX_SIZE = 2**40
"""Most elements of one argument."""

_ROLES = ("in", "out", "inout", "scalar")
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*[=.]")
_Table = Mapping[str, object]


@dataclass(frozen=True)
class TaskTable:
    """What task.toml says; the meanings are those of `tools.tasks.task.Task`."""

    name: str
    summary: str
    dims: tuple[str, ...]
    arguments: tuple[TaskArgument, ...]
    tests: tuple[Case, ...]
    benches: tuple[Case, ...]
    flops: str
    bytes: str
    deterministic: bool
    target: Target


def read_table(text: str, file: str) -> TaskTable:
    """Read the text of a task.toml.

    Args:
        text: The whole file.
        file: Its name, for messages.

    Raises:
        TaskError: It is not TOML, or not a task; the text names file, line and what was expected.
    """
    try:
        table: _Table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"\(at line (\d+)", str(error))
        line = int(match[1]) if match else text.count("\n") + 1
        raise TaskError(f"{file}:{line}: expected TOML: {error}") from None
    return _Reader(text, file).read(table)


@dataclass(frozen=True)
class _Place:
    """One table of the file: `[[test]]` number 2 is section "test", index 1; the top is section ""."""

    section: str = ""
    index: int = 0


def _key_lines(text: str) -> dict[tuple[_Place, str], int]:
    """Map each key, and each table's header (key ""), to its line; good enough for messages."""
    lines: dict[tuple[_Place, str], int] = {(_Place(), ""): 1}
    counts: dict[str, int] = {}
    place = _Place()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            index = counts.get(header[1], 0)
            counts[header[1]] = index + 1
            place = _Place(header[1], index)
            lines[(place, "")] = number
        elif key := _KEY.match(line):
            lines.setdefault((place, key[1]), number)
    return lines


class _Reader:
    """Turns the parsed TOML into a `TaskTable`, or raises with the line of the key at fault."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._lines = _key_lines(text)

    def read(self, table: _Table) -> TaskTable:
        top = _Place()
        known = ("name", "summary", "dims", "deterministic", "args", "cost", "test", "bench", "target")
        self._known(table, known, top)
        name = self._string(table, "name", top)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
            raise self._error("expected a name of letters, digits, `_`, `.` and `-`", top, "name")
        dims = self._dims(table)
        arguments = self._arguments(table, dims)
        tests = self._cases(table, "test", dims, arguments)
        benches = self._cases(table, "bench", dims, arguments)
        flops, moved = self._cost(table, (*tests, *benches))
        deterministic = table.get("deterministic", True)
        if not isinstance(deterministic, bool):
            raise self._error("expected true or false", top, "deterministic")
        summary = self._string(table, "summary", top)
        target = self._target(table)
        return TaskTable(name, summary, dims, arguments, tests, benches, flops, moved, deterministic, target)

    def _error(self, reason: str, place: _Place, key: str = "") -> TaskError:
        places = [(place, key), (place, "")] if place.section else [(place, key), (_Place(key), "")]
        line = next((self._lines[item] for item in places if item in self._lines), 1)
        where = f"[{place.section}] " if place.section else ""
        return TaskError(f"{self._file}:{line}: {where}{key + ': ' if key else ''}{reason}")

    def _known(self, table: _Table, known: tuple[str, ...], place: _Place) -> None:
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean `{close[0]}`?" if close else ""
                raise self._error(f"expected one of {', '.join(known)}, found `{key}`{hint}", place, key)

    def _string(self, table: _Table, key: str, place: _Place) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            found = "nothing" if value is None else repr(value)
            raise self._error(f"expected a text, found {found}", place, key)
        return value.strip()

    def _tables(self, table: _Table, key: str) -> list[_Table]:
        value = table.get(key)
        if not isinstance(value, list) or not value:
            raise self._error(f"expected at least one [[{key}]] table", _Place(), key)
        items = cast(list[object], value)
        if not all(isinstance(item, dict) for item in items):
            raise self._error(f"expected [[{key}]] tables", _Place(), key)
        return cast(list[_Table], items)

    def _table(self, table: _Table, key: str, place: _Place) -> _Table:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise self._error("expected a table", place, key)
        return cast(_Table, value)

    def _fresh_name(self, name: object, taken: set[str], place: _Place, key: str) -> str:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            reason = f"expected lower-case names (letters, digits, underscores), found {name!r}"
            raise self._error(reason, place, key)
        if name in FUNCTION_NAMES or name in CASTS:
            raise self._error(f"expected another name: `{name}` is a function", place, key)
        if name in taken:
            raise self._error(f"expected different names, found `{name}` twice", place, key)
        taken.add(name)
        return name

    def _dims(self, table: _Table) -> tuple[str, ...]:
        value = table.get("dims")
        if not isinstance(value, list) or not value:
            raise self._error('expected a list of names, for example ["rows", "cols"]', _Place(), "dims")
        taken: set[str] = set()
        names = cast(list[object], value)
        return tuple(self._fresh_name(name, taken, _Place(), "dims") for name in names)

    def _arguments(self, table: _Table, dims: tuple[str, ...]) -> tuple[TaskArgument, ...]:
        taken = set(dims)
        found = [
            self._argument(item, dims, taken, _Place("args", index))
            for index, item in enumerate(self._tables(table, "args"))
        ]
        if not any(argument.role in (Role.OUT, Role.INOUT) for argument in found):
            raise self._error("expected at least one argument with role out or inout", _Place("args"))
        return tuple(found)

    def _argument(self, item: _Table, dims: tuple[str, ...], taken: set[str], place: _Place) -> TaskArgument:
        self._known(item, ("name", "role", "dtype", "shape", "data"), place)
        name = self._fresh_name(item.get("name"), taken, place, "name")
        role = self._string(item, "role", place)
        if role not in _ROLES:
            raise self._error(f"expected one of {', '.join(_ROLES)}, found `{role}`", place, "role")
        dtype = self._string(item, "dtype", place)
        if dtype not in DTYPE_BYTES:
            raise self._error(f"expected one of {', '.join(DTYPE_BYTES)}, found `{dtype}`", place, "dtype")
        shape = () if role == "scalar" else self._shape(item, dims, place)
        if role == "scalar" and "shape" in item:
            raise self._error("expected no shape for a scalar", place, "shape")
        data = self._data(item, role, dtype, place)
        return TaskArgument(name, None if role == "scalar" else Role(role), dtype, shape, data)

    def _shape(self, item: _Table, dims: tuple[str, ...], place: _Place) -> tuple[str, ...]:
        sides = tuple(split_arguments(self._string(item, "shape", place)))
        for side in sides:
            self._expression(side, dims, place, "shape")
        return sides

    def _expression(self, text: str, dims: tuple[str, ...], place: _Place, key: str) -> None:
        try:
            names = expressions.parse(text).names
        except ExpressionError as error:
            raise self._error(str(error), place, key) from None
        if unknown := sorted(names - set(dims)):
            reason = f"expected only dims ({', '.join(dims)}), found `{unknown[0]}`"
            raise self._error(reason, place, key)

    def _data(self, item: _Table, role: str, dtype: str, place: _Place) -> str | None:
        if role == "out":
            if "data" in item:
                raise self._error("expected no data for an output", place, "data")
            return None
        call = self._string(item, "data", place)
        self._check_call(call, dtype, place)
        return call

    def _check_call(self, call: str, dtype: str, place: _Place) -> None:
        try:
            check_call(call, dtype)
        except GeneratorError as error:
            raise self._error(str(error), place, "data") from None

    def _cases(
        self, table: _Table, key: str, dims: tuple[str, ...], arguments: tuple[TaskArgument, ...]
    ) -> tuple[Case, ...]:
        return tuple(
            self._case(item, dims, arguments, _Place(key, index))
            for index, item in enumerate(self._tables(table, key))
        )

    def _case(
        self, item: _Table, dims: tuple[str, ...], arguments: tuple[TaskArgument, ...], place: _Place
    ) -> Case:
        self._known(item, ("dims", "data"), place)
        sizes = self._sizes(self._table(item, "dims", place), dims, place)
        filled = {argument.name: argument for argument in arguments if argument.data is not None}
        data: dict[str, str] = {}
        for name, call in self._table(item, "data", place).items():
            if name not in filled:
                reason = f"expected an input ({', '.join(filled)}), found `{name}`"
                raise self._error(reason, place, "data")
            if not isinstance(call, str):
                raise self._error(f"expected a generator call for {name}, found {call!r}", place, "data")
            self._check_call(call, filled[name].dtype, place)
            data[name] = call
        self._check_shapes(arguments, sizes, place)
        return Case(sizes, data)

    def _sizes(self, given: _Table, dims: tuple[str, ...], place: _Place) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for name in dims:
            size = given.get(name)
            if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size < 2**31:
                found = "nothing" if size is None else repr(size)
                raise self._error(f"expected a size of at least 1 for {name}, found {found}", place, "dims")
            sizes[name] = size
        for name in given:
            if name not in sizes:
                raise self._error(f"expected only {', '.join(dims)}, found `{name}`", place, "dims")
        return sizes

    def _check_shapes(
        self, arguments: tuple[TaskArgument, ...], sizes: dict[str, int], place: _Place
    ) -> None:
        for argument in arguments:
            try:
                shape = argument_size(argument, sizes)
            except TaskError as error:
                raise self._error(str(error), place, "dims") from None
            if math.prod(shape) > MAX_SIZE:
                raise self._error(f"expected fewer elements in {argument.name}, found {shape}", place, "dims")

    def _cost(self, table: _Table, cases: tuple[Case, ...]) -> tuple[str, str]:
        place = _Place("cost")
        cost = self._table(table, "cost", place)
        self._known(cost, ("flops", "bytes"), place)
        texts = [self._string(cost, key, place) for key in ("flops", "bytes")]
        for key, text in zip(("flops", "bytes"), texts, strict=True):
            self._expression(text, tuple(cases[0].dims), place, key)
            for case in cases:
                if expressions.parse(text).evaluate(case.dims) < 0:
                    raise self._error(f"expected at least 0 for {case.dims}", place, key)
        return texts[0], texts[1]

    def _target(self, table: _Table) -> Target:
        place = _Place("target")
        target = self._table(table, "target", place)
        self._known(target, ("latency_us", "speedup", "roofline"), place)
        values: dict[str, float] = {}
        for key, value in target.items():
            fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
            if not fits or (key == "roofline" and cast(float, value) > 1):
                limit = "above 0 and at most 1" if key == "roofline" else "above 0"
                raise self._error(f"expected a number {limit}, found {value!r}", place, key)
            values[key] = float(cast(float, value))
        return Target(**values)
