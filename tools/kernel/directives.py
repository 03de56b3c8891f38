"""The `//@` directives of a kernel file: tune, define, scratch, zero, fill, constant, launch. Each is a line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sandbox.dtypes import DTYPE_BYTES, FLOATS
from sandbox.errors import UsageError
from sandbox.plan import LaunchMode
from tools import expressions
from tools.expressions import CASTS, FUNCTION_NAMES, Expression, ExpressionError, split_arguments

MAX_LENGTH = 2000
"""Longest directive, characters."""
MAX_VALUES = 64
"""Most values of one tunable."""
NULL = "null"
"""Passes no buffer, for a pointer that may be null."""

_TUNE_FORM = "`tune NAME = DEFAULT in VALUE, VALUE, ...`"
_DEFINE_FORM = "`define NAME = EXPRESSION`"
_SCRATCH_FORM = "`scratch name: dtype[SIZE]`"
_ZERO_FORM = "`zero NAME` with an output or a scratch buffer"
_FILL_FORM = "`fill NAME = NUMBER` with an output or a scratch buffer"
_CONSTANT_FORM = "`constant NAME = argument` with a `__constant__` array of the file and a buffer"
_LAUNCH_FORM = "`launch [cooperative | cluster(x, y, z)] kernel<<<grid, block[, shared_bytes]>>>(arguments)`"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TUNE = re.compile(r"(\S+)\s*=(?!=)\s*(.+?)\s+in\s+(.+)")
_DEFINE = re.compile(r"(\S+)\s*=(?!=)\s*(.+)")
_SCRATCH = re.compile(r"(\w+)\s*:\s*(\w+)\s*\[(.*)\]")
_KERNEL = re.compile(
    r"((?:[A-Za-z_]\w*\s*::\s*)*[A-Za-z_]\w*)\s*(?:<([A-Za-z0-9_:,<>*&+\-() ]{1,200})>)?", re.ASCII
)
_CAST = re.compile(rf"({'|'.join(CASTS)})\s*\((.*)\)")
_INFINITY = re.compile(r"[-+]?inf(?:inity)?", re.IGNORECASE)
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?[fF]?")


class DirectiveError(UsageError):
    """A directive cannot be read; the message says what was expected."""


@dataclass(frozen=True)
class Tunable:
    """A compile-time constant and the values worth trying, `default` among them."""

    name: str
    default: int
    values: tuple[int, ...]
    line: int


@dataclass(frozen=True)
class Define:
    """A value computed from dims and earlier names."""

    name: str
    expression: Expression
    line: int


@dataclass(frozen=True)
class Scratch:
    """Device memory for intermediate results; its element count is the product of `shape`."""

    name: str
    dtype: str
    shape: tuple[Expression, ...]
    line: int


@dataclass(frozen=True)
class Fill:
    """A value that every element of an output or of scratch gets before the launches that follow."""

    name: str
    value: float
    line: int


@dataclass(frozen=True)
class ConstantArray:
    """A `__constant__` array of the file, and the buffer that it is filled from before the launches that follow."""

    name: str
    buffer: str
    line: int


@dataclass(frozen=True)
class LaunchArgument:
    """One launch argument as written.

    Attributes:
        name: The bare name where the argument is nothing else; it may be a buffer, a scalar or a number.
        dtype: What `i64(...)` and the like ask for; None where nothing was asked.
        value: What to evaluate; a floating literal, with or without `f32(...)` around it; the members of a struct.
    """

    text: str
    name: str | None
    dtype: str | None
    value: Expression | float | tuple[LaunchArgument, ...]


@dataclass(frozen=True)
class LaunchDirective:
    """One launch. `kernel` is the name alone, `template` the text between its angle brackets, if any."""

    kernel: str
    template: str | None
    grid: tuple[Expression, ...]
    block: tuple[Expression, ...]
    shared_bytes: Expression
    arguments: tuple[LaunchArgument, ...]
    mode: LaunchMode
    cluster: tuple[Expression, ...]
    line: int


Directive = Tunable | Define | Scratch | Fill | ConstantArray | LaunchDirective


def parse(text: str, line: int) -> Directive:
    """Read one directive.

    Args:
        text: What follows `//@`, stripped.
        line: Its line in the file, from 1.

    Raises:
        DirectiveError: It is not a directive, or its parts cannot be read.
    """
    if len(text) > MAX_LENGTH:
        raise DirectiveError(f"expected at most {MAX_LENGTH} characters, found {len(text)}")
    word, rest = [*text.split(None, 1), "", ""][:2]
    readers = {
        "tune": _tune,
        "define": _define,
        "scratch": _scratch,
        "zero": _zero,
        "fill": _fill,
        "constant": _constant_array,
        "launch": _launch,
    }
    reader = readers.get(word)
    if reader is None:
        raise DirectiveError(
            f"expected one of {', '.join(readers)}, options after `//@`, found `{word[:40]}`"
        )
    return reader(rest.strip(), line)


def _expression(text: str, what: str) -> Expression:
    try:
        return expressions.parse(text)
    except ExpressionError as error:
        raise DirectiveError(f"{what}: {error}") from None


def _constant(text: str, what: str) -> int:
    try:
        return expressions.parse(text).evaluate({})
    except ExpressionError as error:
        raise DirectiveError(f"expected an integer as {what}: {error}") from None


def _tune(text: str, line: int) -> Tunable:
    match = _TUNE.fullmatch(text)
    if match is None:
        raise DirectiveError(f"expected {_TUNE_FORM}, found `tune {text[:80]}`")
    default = _constant(match[2], f"the default of {match[1]}")
    parts = split_arguments(match[3])
    if len(parts) > MAX_VALUES:
        raise DirectiveError(f"expected at most {MAX_VALUES} values for {match[1]}, found {len(parts)}")
    values = tuple(dict.fromkeys(_constant(part, f"a value of {match[1]}") for part in parts))
    if default not in values:
        tried = ", ".join(map(str, values))
        raise DirectiveError(f"expected the default of {match[1]} among its values {tried}; found {default}")
    return Tunable(match[1], default, values, line)


def _define(text: str, line: int) -> Define:
    match = _DEFINE.fullmatch(text)
    if match is None:
        raise DirectiveError(f"expected {_DEFINE_FORM}, found `define {text[:80]}`")
    return Define(match[1], _expression(match[2], match[1]), line)


def _scratch(text: str, line: int) -> Scratch:
    match = _SCRATCH.fullmatch(text)
    if match is None:
        raise DirectiveError(f"expected {_SCRATCH_FORM}, found `scratch {text[:80]}`")
    name, dtype = match[1], match[2]
    if not _IDENTIFIER.fullmatch(name) or name in FUNCTION_NAMES or name in CASTS or name == NULL:
        raise DirectiveError(f"expected a name for the scratch buffer, found `{name[:60]}`")
    if dtype not in DTYPE_BYTES:
        raise DirectiveError(f"expected a dtype ({', '.join(DTYPE_BYTES)}), found `{dtype[:40]}`")
    shape = tuple(_expression(part, f"size of {name}") for part in split_arguments(match[3]))
    if not shape:
        raise DirectiveError(f"expected {_SCRATCH_FORM}, found no size")
    return Scratch(name, dtype, shape, line)


def _zero(text: str, line: int) -> Fill:
    if not _IDENTIFIER.fullmatch(text):
        raise DirectiveError(f"expected {_ZERO_FORM}, found `zero {text[:80]}`")
    return Fill(text, 0.0, line)


def _fill(text: str, line: int) -> Fill:
    match = _DEFINE.fullmatch(text)
    if match is None or not _IDENTIFIER.fullmatch(match[1]):
        raise DirectiveError(f"expected {_FILL_FORM}, found `fill {text[:80]}`")
    if _INFINITY.fullmatch(match[2]):
        return Fill(match[1], float(match[2].lower()), line)
    if _FLOAT.fullmatch(match[2]):
        return Fill(match[1], float(match[2].rstrip("fF")), line)
    return Fill(match[1], float(_constant(match[2], f"the value of {match[1]}")), line)


def _constant_array(text: str, line: int) -> ConstantArray:
    match = _DEFINE.fullmatch(text)
    if match is None or not _IDENTIFIER.fullmatch(match[1]) or not _IDENTIFIER.fullmatch(match[2]):
        raise DirectiveError(f"expected {_CONSTANT_FORM}, found `constant {text[:80]}`")
    return ConstantArray(match[1], match[2], line)


def _launch(text: str, line: int) -> LaunchDirective:
    mode, cluster, rest = _mode(text)
    head, opened, tail = rest.partition("<<<")
    configuration, closed, arguments = tail.partition(">>>")
    arguments = arguments.strip().removesuffix(";").rstrip()
    if not opened or not closed or not arguments.startswith("(") or not arguments.endswith(")"):
        raise DirectiveError(f"expected {_LAUNCH_FORM}, found `launch {text[:80]}`")
    kernel = _KERNEL.fullmatch(head.strip())
    if kernel is None:
        raise DirectiveError(f"expected a kernel's name before `<<<`, found `{head.strip()[:80]}`")
    parts = split_arguments(configuration)
    if len(parts) not in (2, 3):
        raise DirectiveError(
            f"expected `<<<grid, block>>>` or `<<<grid, block, shared_bytes>>>`, found {len(parts)} parts"
        )
    return LaunchDirective(
        re.sub(r"\s", "", kernel[1]),
        None if kernel[2] is None else kernel[2].strip(),
        _extent(parts[0], "grid"),
        _extent(parts[1], "block"),
        _expression(parts[2] if len(parts) == 3 else "0", "dynamic shared memory"),
        tuple(_argument(part) for part in split_arguments(arguments[1:-1])),
        mode,
        cluster,
        line,
    )


def _mode(text: str) -> tuple[LaunchMode, tuple[Expression, ...], str]:
    if match := re.match(r"cooperative\s+(?=[A-Za-z_])", text):
        return LaunchMode.COOPERATIVE, (), text[match.end() :]
    if match := re.match(r"cluster\s*(\([^<]*?\))\s*(?=[A-Za-z_])", text):
        return LaunchMode.CLUSTER, _extent(match[1], "cluster"), text[match.end() :]
    return LaunchMode.NORMAL, (), text


def _extent(text: str, what: str) -> tuple[Expression, ...]:
    text = text.removeprefix("dim3").lstrip()
    parts = split_arguments(text[1:-1]) if _is_tuple(text) else [text]
    if not 1 <= len(parts) <= 3:
        raise DirectiveError(f"expected one to three expressions as {what}, found {len(parts)}")
    return tuple(_expression(part, what) for part in parts)


def _is_tuple(text: str) -> bool:
    """Tell whether the first bracket closes at the very end, as in `(a, b)` but not `(a) + (b)`."""
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return position == len(text) - 1 and position > 0
    return False


def _argument(text: str) -> LaunchArgument:
    if text.startswith("{") and text.endswith("}"):
        return LaunchArgument(
            text, None, None, tuple(_argument(part) for part in split_arguments(text[1:-1]))
        )
    cast = _CAST.fullmatch(text)
    if cast is None or not _is_tuple(text[len(cast[1]) :].lstrip()):
        name = text if _IDENTIFIER.fullmatch(text) else None
        return LaunchArgument(text, name, None, _value(text, text, None))
    inner = cast[2].strip()
    return LaunchArgument(text, None, CASTS[cast[1]], _value(inner, text, CASTS[cast[1]]))


def _value(inner: str, text: str, dtype: str | None) -> Expression | float:
    if _FLOAT.fullmatch(inner):
        return _literal(inner, dtype or "float64")
    return _expression(inner, f"argument `{text[:60]}`")


def _literal(text: str, dtype: str) -> float:
    value = float(text.rstrip("fF"))
    if "float" not in dtype:
        raise DirectiveError(f"expected a value of {dtype}, found `{text}`")
    if not math.isfinite(value) or abs(value) > FLOATS[dtype].largest:
        raise DirectiveError(f"expected a finite {dtype}, found `{text}`")
    return value
