"""The expression language of kernel files and tasks: integers, names, arithmetic, comparisons, a conditional.

Text is checked token by token, parsed with `ast` and compiled against an allow-list; nothing is ever passed
to `eval`. Size, nesting and results are bounded, so no text can hang or crash the reader.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sandbox.errors import UsageError
from sandbox.syntax_trees import syntax_tree

MAX_LENGTH = 500
"""Longest expression, characters."""
MAX_DEPTH = 40
"""Deepest nesting of operators, calls and brackets."""
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_EXPECTED = (
    "integers, names, + - * // %, comparisons, `a if c else b`, or "
    "min, max, ceil_div, next_pow2, log2 of those"
)
_TOKEN = re.compile(
    r"[ \t]+|0[xX][0-9a-fA-F]+(?![0-9A-Za-z_.])|[0-9]+(?![0-9A-Za-z_.])|[A-Za-z_][A-Za-z0-9_]*"
    r"|//|<=|>=|==|!=|[-+*%(),<>]",
    re.ASCII,
)
_HINTS = {
    "/": "`/` is not in the language; write `//` for the floor or ceil_div(a, b)",
    ".": "fractions are not in the language; every value is an integer",
    "&": "`&` is not in the language; write `a if c else b` for conditions",
    "|": "`|` is not in the language; write `a if c else b` for conditions",
    "?": "`?:` is not in the language; write `a if c else b`",
    "=": "`=` is not in the language; write `==` to compare",
}


class ExpressionError(UsageError):
    """An expression cannot be read or has no value.

    Attributes:
        column: Position in the text, from 1; None where no single place is at fault.
    """

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message if column is None else f"{message} (column {column})")
        self.column = column


_Node = Callable[[Mapping[str, int]], int]


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes:
        text: As written, without surrounding blanks.
        names: The free names; function names are not among them.
    """

    text: str
    names: frozenset[str]
    _node: _Node = field(repr=False, compare=False)

    def evaluate(self, names: Mapping[str, int]) -> int:
        """Return the value, a signed 64-bit integer; comparisons give 0 or 1, `//` and `%` floor.

        Args:
            names: A value for each free name; more do no harm.

        Raises:
            ExpressionError: A name is unknown, a divisor is zero, or a value does not fit in 64 bits.
        """
        try:
            return self._node(names)
        except ExpressionError as error:
            raise ExpressionError(f"`{self.text}`: {error}") from None


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """Read an expression.

    Args:
        text: One line, at most `MAX_LENGTH` characters.

    Raises:
        ExpressionError: The text is not in the language; the message says what was expected.
    """
    body = text.strip(" \t")
    offset = len(text) - len(text.lstrip(" \t"))
    if not body:
        raise ExpressionError(f"expected an expression ({_EXPECTED}), found nothing")
    if len(body) > MAX_LENGTH:
        raise ExpressionError(f"expected at most {MAX_LENGTH} characters, found {len(body)}")
    _check_tokens(body, offset)
    try:
        root = syntax_tree(body, mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(
            f"expected {_EXPECTED}; cannot read `{body}`", (error.offset or 1) + offset
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"`{body[:40]}...` is nested too deeply or is too large") from None
    _check_depth(root)
    names: set[str] = set()
    node = _Compiler(offset, names).compile(root)
    return Expression(body, frozenset(names), node)


def _check_tokens(body: str, offset: int) -> None:
    position = 0
    depth = 0
    while position < len(body):
        token = _TOKEN.match(body, position)
        if token is None:
            found = body[position]
            hint = _HINTS.get(found, f"expected {_EXPECTED}; found {found!r}")
            raise ExpressionError(hint, position + offset + 1)
        depth += {"(": 1, ")": -1}.get(token.group(), 0)
        if depth > MAX_DEPTH:
            raise ExpressionError(f"brackets are nested more than {MAX_DEPTH} deep", position + offset + 1)
        position = token.end()


def _check_depth(root: ast.AST) -> None:
    level: list[ast.AST] = [root]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ExpressionError(f"operators are nested more than {MAX_DEPTH} deep")


def _bounded(value: int) -> int:
    if INT64_MIN <= value <= INT64_MAX:
        return value
    raise ExpressionError("a value does not fit in 64 bits")


def _floor_div(left: int, right: int) -> int:
    if right == 0:
        raise ExpressionError("division by zero")
    return left // right


def _modulo(left: int, right: int) -> int:
    if right == 0:
        raise ExpressionError("division by zero")
    return left % right


def ceil_div(left: int, right: int) -> int:
    """Return `left / right` rounded up; raises ExpressionError where `right` is 0."""
    return -_floor_div(-left, right)


def next_pow2(value: int) -> int:
    """Return the least power of two that is at least `value`; 1 for anything below 1."""
    return 1 << max(value - 1, 0).bit_length()


def log2(value: int) -> int:
    """Return the base-2 logarithm rounded down; raises ExpressionError below 1."""
    if value < 1:
        raise ExpressionError(f"log2 needs a value of at least 1, got {value}")
    return value.bit_length() - 1


_Function = Callable[..., int]
_FUNCTIONS: dict[str, tuple[_Function, int, int]] = {
    "min": (lambda *values: min(values), 1, 16),
    "max": (lambda *values: max(values), 1, 16),
    "ceil_div": (ceil_div, 2, 2),
    "next_pow2": (next_pow2, 1, 1),
    "log2": (log2, 1, 1),
}
FUNCTION_NAMES = frozenset(_FUNCTIONS)
"""Names that no dim, argument, scratch or scalar may take."""
CASTS = {
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "bf16": "bfloat16",
    "bool": "bool",
}
"""Names that pass an expression to a kernel as a given dtype, as in `i64(rows * cols)`."""

_BINARY: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: _floor_div,
    ast.Mod: _modulo,
}
_COMPARE: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class _Compiler:
    """Turns an `ast` of bounded depth into closures, refusing whatever is not listed."""

    def __init__(self, offset: int, names: set[str]) -> None:
        self._offset = offset
        self._names = names

    def compile(self, node: ast.expr) -> _Node:
        match node:
            case ast.Constant(value=int() as value) if not isinstance(value, bool):
                constant = _bounded(value)
                return lambda names: constant
            case ast.Name(id=name):
                return self._name(name, node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.compile(operand)
                return lambda names: _bounded(-inner(names))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.compile(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._binary(_BINARY[type(op)], left, right)
            case ast.Compare(left=left, ops=ops, comparators=rest):
                return self._compare(ops, [left, *rest], node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition, then, other = self.compile(test), self.compile(body), self.compile(orelse)
                return lambda names: then(names) if condition(names) else other(names)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments, node)
            case _:
                raise self._refuse(node, f"expected {_EXPECTED}")

    def _refuse(self, node: ast.expr, message: str) -> ExpressionError:
        return ExpressionError(message, node.col_offset + self._offset + 1)

    def _name(self, name: str, node: ast.expr) -> _Node:
        if name in FUNCTION_NAMES:
            raise self._refuse(node, f"`{name}` is a function; expected `{name}(...)`")
        self._names.add(name)

        def look_up(names: Mapping[str, int]) -> int:
            if name not in names:
                raise ExpressionError(f"unknown name `{name}`; {_known(names)}")
            return _bounded(int(names[name]))

        return look_up

    def _binary(self, function: Callable[[int, int], int], left: ast.expr, right: ast.expr) -> _Node:
        first, second = self.compile(left), self.compile(right)
        return lambda names: _bounded(function(first(names), second(names)))

    def _compare(self, ops: Iterable[ast.cmpop], operands: list[ast.expr], node: ast.expr) -> _Node:
        if any(type(op) not in _COMPARE for op in ops):
            raise self._refuse(node, "expected one of < <= > >= == !=")
        tests = [_COMPARE[type(op)] for op in ops]
        parts = [self.compile(operand) for operand in operands]

        def compare(names: Mapping[str, int]) -> int:
            left = parts[0](names)
            for test, part in zip(tests, parts[1:], strict=True):
                right = part(names)
                if not test(left, right):
                    return 0
                left = right
            return 1

        return compare

    def _call(self, name: str, arguments: list[ast.expr], node: ast.expr) -> _Node:
        if name not in _FUNCTIONS:
            known = ", ".join(sorted(_FUNCTIONS))
            raise self._refuse(node, f"unknown function `{name}`; expected one of {known}")
        function, least, most = _FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self._refuse(node, f"`{name}` takes {wanted} arguments, found {len(arguments)}")
        parts = [self.compile(argument) for argument in arguments]
        return lambda names: _bounded(function(*(part(names) for part in parts)))


def _known(names: Mapping[str, int]) -> str:
    return f"known here: {', '.join(sorted(names))}" if names else "no names are known here"


def split_arguments(text: str) -> list[str]:
    """Split at the commas outside brackets and strip each part; blank text gives no parts."""
    return [part.strip(" \t") for part in _split(text)] if text.strip(" \t") else []


def _split(text: str) -> Iterator[str]:
    depth = 0
    start = 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]
