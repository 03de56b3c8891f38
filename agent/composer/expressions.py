"""Writes nodes as CUDA C expressions: types, conversions, precedence, and locals for what is used twice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from agent.composer.ir import Binary, Dim, Leaf, Literal, Node, Reduce, Unary, Where, walk
from agent.composer.shapes import ShapeError


class Kind(IntEnum):
    """What a value is in the kernel; arithmetic takes the larger of two kinds."""

    BOOL = 0
    INTEGER = 1
    REAL = 2


class _Level(IntEnum):
    CONDITIONAL, OR, AND, EQUALITY, ORDER, SUM, PRODUCT, PREFIX, ATOM = range(9)


_STORAGE: Mapping[str, str] = {
    "float16": "__half", "bfloat16": "__nv_bfloat16", "float32": "float", "float64": "double",
    "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long", "bool": "bool",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
}  # fmt: skip
WRAPPING = ("int8", "int16", "uint8", "uint16", "uint32", "uint64")
"""Dtypes in which arithmetic wraps around sooner than in what a kernel computes in; also operations, to them."""
_NEEDS_64_BITS = {"int64", "uint32", "uint64"}
_INFIX: Mapping[str, _Level] = {
    "+": _Level.SUM, "-": _Level.SUM, "*": _Level.PRODUCT, "/": _Level.PRODUCT, "<": _Level.ORDER,
    "<=": _Level.ORDER, ">": _Level.ORDER, ">=": _Level.ORDER, "==": _Level.EQUALITY, "!=": _Level.EQUALITY,
    "&": _Level.AND, "|": _Level.OR,
}  # fmt: skip
_BITS: Mapping[str, str] = {"bitand": "&", "bitor": "|", "bitxor": "^", "<<": "<<", ">>": ">>"}
_UNSIGNED: Mapping[str, str] = {"u>>": " >> ", "u//": " / ", "u%": " % "}
_CALLED = frozenset({"atan2", "hypot", "fmod", "copysign"})
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_REAL_FUNCTIONS = {
    "exp", "log", "sqrt", "tanh", "sin", "cos", "floor", "ceil", "log1p", "expm1", "exp2", "log2", "log10", "tan",
    "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "rint", "trunc", "cbrt", "erf", "erfc",
    "lgamma", "tgamma",
}  # fmt: skip


def kind_of(dtype: str) -> Kind:
    """The kind that an element of this dtype has once loaded."""
    return (
        Kind.BOOL if dtype == "bool" else Kind.INTEGER if dtype.lstrip("u").startswith("int") else Kind.REAL
    )


def storage(dtype: str) -> str:
    """The C type of an element in memory."""
    return _STORAGE[dtype]


@dataclass(frozen=True)
class Types:
    """The C types that a kernel computes in."""

    real: str
    integer: str

    @staticmethod
    def of(dtypes: Iterable[str]) -> Types:
        """Double where any argument is, else float; long long where any integer needs it, else int."""
        known = set(dtypes)
        return Types(
            "double" if "float64" in known else "float", "long long" if known & _NEEDS_64_BITS else "int"
        )

    def name(self, kind: Kind) -> str:
        """The C type of a kind."""
        return {Kind.BOOL: "bool", Kind.INTEGER: self.integer, Kind.REAL: self.real}[kind]

    def literal(self, value: float) -> str:
        """A real constant."""
        if math.isnan(value):
            return "NAN"
        if math.isinf(value):
            return "INFINITY" if value > 0 else "-INFINITY"
        return repr(float(value)) + ("f" if self.real == "float" else "")

    def function(self, name: str) -> str:
        """A function of the math library, for the real type."""
        return name + ("f" if self.real == "float" else "")


@dataclass(frozen=True)
class Value:
    """A C expression, its kind, and how tightly it binds."""

    text: str
    kind: Kind
    level: int = _Level.ATOM

    def at(self, level: int) -> str:
        """The text, in brackets where an operator of this level would tear it apart."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True)
class Lines:
    """Declarations, and the values that they make it possible to write."""

    lines: tuple[str, ...]
    values: tuple[Value, ...]


class Writer:
    """Writes nodes, given what is already at hand: loaded elements, parameters, results of reductions."""

    def __init__(self, types: Types, bound: Mapping[Node, Value]) -> None:
        self._types = types
        self._bound = dict(bound)

    def bind(self, node: Node, value: Value) -> None:
        """Use this value wherever the node is needed from here on."""
        self._bound[node] = value

    def is_bound(self, node: Node) -> bool:
        """Whether the node is already at hand."""
        return node in self._bound

    def kind(self, node: Node) -> Kind:
        """The kind of a node."""
        return self.value(node).kind

    def lines(
        self, roots: Sequence[Node], labels: Mapping[Node, str], taken: set[str] | None = None
    ) -> Lines:
        """Write several nodes; what they share becomes a local, named as in the reference, but as none in `taken`."""
        scope = Writer(self._types, self._bound)
        uses: Counter[Node] = Counter()
        for root in roots:
            uses.update(self._open(root))
        uses.update(root for root in roots if root in labels)
        taken = set[str]() if taken is None else taken
        taken |= {value.text for value in self._bound.values()}
        declarations: list[str] = []
        for node in dict.fromkeys(part for root in roots for part in self._open(root)):
            if uses[node] < 2 or isinstance(node, Literal | Dim):
                continue
            value = scope.value(node)
            name = _free_name(labels.get(node, "t"), taken)
            declarations.append(f"const {self._types.name(value.kind)} {name} = {value.text};")
            scope.bind(node, Value(name, value.kind))
        return Lines(tuple(declarations), tuple(scope.value(root) for root in roots))

    def _open(self, node: Node) -> Iterator[Node]:
        """Everything to be written for a node, operands first; each distinct subtree is entered once."""
        seen: set[Node] = set()

        def visit(part: Node) -> Iterator[Node]:
            if part in self._bound:
                return
            if part not in seen:
                seen.add(part)
                for child in part.children:
                    yield from visit(child)
            yield part

        return visit(node)

    def value(self, node: Node) -> Value:
        """Write one node as one expression."""
        if node in self._bound:
            return self._bound[node]
        match node:
            case Literal(value=int(number)):
                number -= (number >= 2**63) * 2**64  # the same bits, with a sign
                return Value(str(number), Kind.INTEGER, _Level.ATOM if number >= 0 else _Level.PREFIX)
            case Literal(value=number):
                return Value(
                    self._types.literal(number), Kind.REAL, _Level.ATOM if number >= 0 else _Level.PREFIX
                )
            case Unary(operand=operand, op=op):
                return self._unary(op, self.value(operand))
            case Binary(left=left, right=right, op=op):
                return self._binary(op, self.value(left), self.value(right))
            case Where(condition=condition, yes=yes, no=no):
                return self._where(self.value(condition), self.value(yes), self.value(no))
            case _:
                raise ShapeError(f"a {type(node).__name__.lower()} inside elementwise arithmetic")

    def cast(self, value: Value, kind: Kind) -> Value:
        """Convert between kinds; literals are rewritten instead."""
        if value.kind is kind:
            return value
        if kind is Kind.BOOL:
            return Value(f"{value.at(_Level.EQUALITY + 1)} != 0", Kind.BOOL, _Level.EQUALITY)
        if value.kind is Kind.BOOL:
            one, zero = (self._types.literal(1), self._types.literal(0)) if kind is Kind.REAL else ("1", "0")
            return Value(f"{value.at(_Level.OR)} ? {one} : {zero}", kind, _Level.CONDITIONAL)
        if kind is Kind.REAL and value.text.lstrip("-").isdigit():
            return Value(self._types.literal(int(value.text)), Kind.REAL, value.level)
        return Value(f"static_cast<{self._types.name(kind)}>({value.text})", kind)

    def stored(self, value: Value, dtype: str) -> str:
        """Convert to what an element of this dtype holds in memory."""
        plain = self.cast(value, kind_of(dtype))
        if dtype in ("float16", "bfloat16") or self._types.name(plain.kind) != storage(dtype):
            return f"static_cast<{storage(dtype)}>({plain.text})"
        return plain.text

    def loaded(self, text: str, dtype: str) -> Value:
        """An element of this dtype as read from memory, converted for computing."""
        kind = kind_of(dtype)
        if self._types.name(kind) == storage(dtype):
            return Value(text, kind)
        return Value(f"static_cast<{self._types.name(kind)}>({text})", kind)

    def _unary(self, op: str, operand: Value) -> Value:
        if op == "neg":
            number = self.cast(operand, max(operand.kind, Kind.INTEGER))
            return Value(f"-{number.at(_Level.ATOM)}", number.kind, _Level.PREFIX)
        if op == "not":
            if operand.kind is not Kind.BOOL:
                raise ShapeError("the bits of a number inverted")
            return Value(f"!{operand.at(_Level.ATOM)}", Kind.BOOL, _Level.PREFIX)
        if op == "~":
            return Value(f"~{self.cast(operand, Kind.INTEGER).at(_Level.ATOM)}", Kind.INTEGER, _Level.PREFIX)
        if op in WRAPPING:
            inner = f"static_cast<{storage(op)}>({self.cast(operand, Kind.INTEGER).text})"
            return Value(f"static_cast<{self._types.integer}>({inner})", Kind.INTEGER)
        if op in ("int", "int64"):
            return self.cast(operand, Kind.INTEGER)
        if op == "abs" and operand.kind is not Kind.REAL:
            return Value(f"abs({self.cast(operand, Kind.INTEGER).text})", Kind.INTEGER)
        real = self.cast(operand, Kind.REAL)
        if op == "real":
            return real
        if op == "abs":
            return Value(f"{self._types.function('fabs')}({real.text})", Kind.REAL)
        if op in _REAL_FUNCTIONS:
            return Value(f"{self._types.function(op)}({real.text})", Kind.REAL)
        raise ShapeError(f"the function {op}")

    def _binary(self, op: str, left: Value, right: Value) -> Value:
        if op in ("&", "|"):
            if left.kind is not Kind.BOOL or right.kind is not Kind.BOOL:
                raise ShapeError("bitwise arithmetic on numbers")
            level, sign = _INFIX[op], op * 2
            return Value(f"{left.at(level)} {sign} {right.at(level + 1)}", Kind.BOOL, level)
        real = op in ("/", "**") or op in _CALLED
        kind = max(left.kind, right.kind, Kind.REAL if real else Kind.INTEGER)
        a, b = self.cast(left, kind), self.cast(right, kind)
        if op in _CALLED:
            return Value(f"{self._types.function(op)}({a.text}, {b.text})", Kind.REAL)
        if op in _UNSIGNED:
            unsigned = [f"static_cast<unsigned long long>({one.text})" for one in (a, b)]
            return Value(f"static_cast<{self._types.integer}>({_UNSIGNED[op].join(unsigned)})", kind)
        if op in _BITS:
            return Value(f"({a.at(_Level.ATOM)} {_BITS[op]} {b.at(_Level.ATOM)})", kind)
        if op in ("//", "%"):
            name = "floor_div" if op == "//" else "floor_mod"
            return Value(f"{name}<{self._types.integer}>({a.text}, {b.text})", kind)
        if op in ("max", "min"):
            return Value(self.extreme(op, kind, a.text, b.text), kind)
        if op == "**":
            return Value(f"{self._types.function('pow')}({a.text}, {b.text})", Kind.REAL)
        level = _INFIX[op]
        text = f"{a.at(level)} {op} {b.at(level + 1)}"
        return Value(text, Kind.BOOL if op in _COMPARISONS else kind, level)

    def extreme(self, op: str, kind: Kind, left: str, right: str) -> str:
        """The larger or the smaller of two values."""
        if kind is Kind.REAL:
            return f"{self._types.function('f' + op)}({left}, {right})"
        name = self._types.integer
        return f"{op}(static_cast<{name}>({left}), static_cast<{name}>({right}))"

    def _where(self, condition: Value, yes: Value, no: Value) -> Value:
        kind = max(yes.kind, no.kind)
        test = self.cast(condition, Kind.BOOL).at(_Level.OR)
        a, b = self.cast(yes, kind).at(_Level.OR), self.cast(no, kind).at(_Level.OR)
        return Value(f"{test} ? {a} : {b}", kind, _Level.CONDITIONAL)


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 0
    while name in taken or (number == 0 and name == "t"):
        name, number = f"{wanted}{number}", number + 1
    taken.add(name)
    return name


def leaves(nodes: Iterable[Node]) -> tuple[Leaf, ...]:
    """The distinct leaves that the nodes read outside of reductions, in order of first use."""

    def visit(node: Node) -> Iterator[Leaf]:
        if isinstance(node, Leaf):
            yield node
        elif not isinstance(node, Reduce):
            for child in node.children:
                yield from visit(child)

    return tuple(dict.fromkeys(leaf for node in nodes for leaf in visit(node)))


def dims(nodes: Iterable[Node]) -> tuple[Dim, ...]:
    """The distinct sizes that the nodes use, in order of first use."""
    return tuple(dict.fromkeys(part for node in nodes for part in walk(node) if isinstance(part, Dim)))
