# pycparser says no types of its nodes:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
"""Expressions of plain C as NumPy: every thread is a lane, and what a lane may not read is masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pycparser import c_ast

Kind = Literal["int", "float", "bool"]

_CALLS: Mapping[str, str] = {
    **{
        f"{name}{end}": f"np.{name}"
        for end in ("", "f")
        for name in ("sqrt", "floor", "ceil", "log2", "exp2")
    },
    **{
        f"{name}{end}": f"np.{name}"
        for end in ("", "f")
        for name in ("exp", "log", "sin", "cos", "tan", "tanh")
    },
    **{f"__{name}f": f"np.{name}" for name in ("exp", "log", "sin", "cos")},
    **{
        f"{name}{end}": f"np.{name}"
        for end in ("", "f")
        for name in ("sinh", "cosh", "log1p", "expm1", "cbrt")
    },
    **dict.fromkeys(("fabs", "fabsf", "abs"), "np.abs"),
    **dict.fromkeys(("fmax", "fmaxf", "max"), "np.maximum"),
    **dict.fromkeys(("fmin", "fminf", "min"), "np.minimum"),
    **dict.fromkeys(("pow", "powf", "__powf"), "np.power"),
    **dict.fromkeys(("erf", "erff"), "erf"),
    **dict.fromkeys(("erfc", "erfcf"), "erfc"),
    **dict.fromkeys(("rint", "rintf", "nearbyintf"), "np.rint"),
}
_SAME = frozenset(
    {
        *("__half2float", "__float2half", "__float2half_rn", "__bfloat162float", "__float2bfloat16"),
        *("__float2bfloat16_rn", "float", "__ldg"),
    }
)
"""Calls that change how a value is kept and not what it is: a reference is exact."""
_OF_INTEGERS = frozenset({"abs", "max", "min"})
_NAMED = {"INFINITY": "np.inf", "NAN": "np.nan", "M_PI": "np.pi", "true": "True", "false": "False"}
_ARITHMETIC = frozenset(["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"])
_COMPARED = frozenset(["<", ">", "<=", ">=", "==", "!="])


class UnreadableError(Exception):
    """The code is more than what is read here; the text says where."""


@dataclass(frozen=True)
class LaneValue:
    """NumPy text of a value for every lane."""

    text: str
    kind: Kind

    @property
    def truth(self) -> str:
        """The value as a condition."""
        return self.text if self.kind == "bool" else f"({self.text} != 0)"


@dataclass(frozen=True)
class ElementAt:
    """An element of a buffer, `index` an integer for every lane."""

    buffer: str
    index: str


@dataclass(frozen=True)
class CBuffer:
    """What a pointer points into."""

    name: str
    kind: Kind


@dataclass
class CNames:
    """What C's names mean here.

    Attributes:
        reads: Gathers the buffers that were read.
        whole: Whether lanes are the elements of whole arrays, so that a lane's own element needs no index.
        gathered: Gathers the buffers that were read elsewhere than at a lane's own element, where lanes are those.
    """

    values: dict[str, LaneValue]
    buffers: dict[str, CBuffer]
    pointers: dict[str, ElementAt] = field(default_factory=dict[str, ElementAt])
    reads: set[str] = field(default_factory=set[str])
    whole: bool = False
    gathered: set[str] = field(default_factory=set[str])


def bare(text: str) -> str:
    """Return a text without the parentheses around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return text[1:-1] if position == len(text) - 1 else text
    return text


def unreadable(node: Any, what: str) -> UnreadableError:
    """Make the error that says what is not read, and where."""
    coord = getattr(node, "coord", None)
    return UnreadableError(f"{what}{'' if coord is None else f', line {coord.line}'}")


def value_of(node: Any, names: CNames, mask: str) -> LaneValue:
    """Return an expression as NumPy; only lanes in `mask` read memory.

    Raises:
        UnreadableError: It is more than arithmetic, comparisons, loads and known functions.
    """
    match node:
        case c_ast.Constant():
            return _number(node)
        case c_ast.ID():
            return _named(node, names)
        case c_ast.StructRef(name=c_ast.ID(name=of), field=c_ast.ID(name=axis)):
            known = names.values.get(f"{of}.{axis}")
            if known is None:
                raise unreadable(node, f"`{of}.{axis}`")
            return known
        case c_ast.ArrayRef() | c_ast.UnaryOp(op="*"):
            return _loaded(address_of(node, names, mask), names, mask)
        case c_ast.UnaryOp():
            return _unary(node, names, mask)
        case c_ast.BinaryOp():
            return _binary(node, names, mask)
        case c_ast.TernaryOp():
            condition = value_of(node.cond, names, mask).truth
            yes = value_of(node.iftrue, names, f"({mask} & {condition})")
            no = value_of(node.iffalse, names, f"({mask} & np.logical_not({condition}))")
            return LaneValue(f"np.where({condition}, {yes.text}, {no.text})", _wider(yes.kind, no.kind))
        case c_ast.Cast():
            return as_kind(value_of(node.expr, names, mask), kind_of(node.to_type))
        case c_ast.FuncCall(name=c_ast.ID(name=called)):
            return _called(node, called, names, mask)
        case _:
            raise unreadable(node, type(node).__name__)


def address_of(node: Any, names: CNames, mask: str) -> ElementAt:
    """Return which element `p[i]`, `*p`, `p + i` or `&p[i]` is.

    Raises:
        UnreadableError: It is no element of an argument.
    """
    match node:
        case c_ast.ID(name=name) if name in names.buffers:
            return ElementAt(names.buffers[name].name, "0")
        case c_ast.ID(name=name) if name in names.pointers:
            return names.pointers[name]
        case c_ast.ArrayRef():
            return _moved(node.name, node.subscript, names, mask)
        case c_ast.BinaryOp(op="+"):
            return _moved(node.left, node.right, names, mask)
        case c_ast.UnaryOp(op="*" | "&"):
            return address_of(node.expr, names, mask)
        case _:
            raise unreadable(node, "an address that is none of an argument's elements")


def _moved(base: Any, offset: Any, names: CNames, mask: str) -> ElementAt:
    start, by = address_of(base, names, mask), value_of(offset, names, mask)
    return ElementAt(start.buffer, by.text if start.index == "0" else f"({start.index} + {by.text})")


def _loaded(address: ElementAt, names: CNames, mask: str) -> LaneValue:
    names.reads.add(address.buffer)
    kind = next(one for one in names.buffers.values() if one.name == address.buffer).kind
    if names.whole:
        if bare(address.index) == "lane":
            return LaneValue(address.buffer, kind)
        if mask != "on":
            raise UnreadableError("a read that not all lanes do")
        names.gathered.add(address.buffer)
        return LaneValue(f"{address.buffer}[{bare(address.index)}]", kind)
    return LaneValue(f"load({address.buffer}, {bare(address.index)}, {bare(mask)})", kind)


def kind_of(declared: Any) -> Kind:
    """Return the kind of a declared scalar.

    Raises:
        UnreadableError: It is none.
    """
    match declared:
        case c_ast.Typename() | c_ast.TypeDecl():
            return kind_of(declared.type)
        case c_ast.IdentifierType():
            words = set(declared.names)
            return (
                "bool" if words == {"bool"} else "float" if words & {"float", "double", "__half"} else "int"
            )
        case _:
            raise unreadable(declared, "a type that is no number")


def as_kind(value: LaneValue, kind: Kind) -> LaneValue:
    """Return a value as C converts it."""
    if kind == value.kind:
        return value
    if kind == "bool":
        return LaneValue(value.truth, "bool")
    if kind == "int" and value.kind == "float":
        return LaneValue(f"np.trunc({value.text}).astype(np.int64)", "int")
    return LaneValue(value.text, kind)


def combined(operator: str, left: LaneValue, right: LaneValue, node: Any) -> LaneValue:
    """Return the value of an operator on two values."""
    if operator in _COMPARED:
        return LaneValue(f"({left.text} {operator} {right.text})", "bool")
    if operator not in _ARITHMETIC:
        raise unreadable(node, f"`{operator}`")
    kind = _wider(_wider(left.kind, right.kind), "int")
    if operator == "/" and kind == "int":
        operator = "//"
    return LaneValue(f"({left.text} {operator} {right.text})", kind)


def _wider(left: Kind, right: Kind) -> Kind:
    return "float" if "float" in (left, right) else "int" if "int" in (left, right) else "bool"


def _number(node: Any) -> LaneValue:
    text = str(node.value).lower()
    if node.type in ("char", "string"):
        raise unreadable(node, "text")
    if re.fullmatch(r"(0x[0-9a-f]+|[0-9]+)[ul]*", text):
        return LaneValue(re.sub(r"[ul]+$", "", text), "int")
    return LaneValue(text.rstrip("fl"), "float")


def _named(node: Any, names: CNames) -> LaneValue:
    if node.name in names.values:
        return names.values[node.name]
    if node.name in _NAMED:
        return LaneValue(_NAMED[node.name], "bool" if node.name in ("true", "false") else "float")
    raise unreadable(node, f"`{node.name}`")


def _unary(node: Any, names: CNames, mask: str) -> LaneValue:
    value = value_of(node.expr, names, mask)
    match node.op:
        case "+":
            return value
        case "-" | "~":
            return LaneValue(f"({node.op}{value.text})", _wider(value.kind, "int"))
        case "!":
            return LaneValue(f"np.logical_not({value.text})", "bool")
        case _:
            raise unreadable(node, f"`{node.op}` inside an expression")


def _binary(node: Any, names: CNames, mask: str) -> LaneValue:
    left = value_of(node.left, names, mask)
    if node.op == "&&":
        right = value_of(node.right, names, f"({mask} & {left.truth})")
        return LaneValue(f"({left.truth} & {right.truth})", "bool")
    if node.op == "||":
        right = value_of(node.right, names, f"({mask} & np.logical_not({left.truth}))")
        return LaneValue(f"({left.truth} | {right.truth})", "bool")
    return combined(node.op, left, value_of(node.right, names, mask), node)


def _called(node: Any, called: str, names: CNames, mask: str) -> LaneValue:
    given = list(node.args.exprs) if node.args is not None else []
    if called == "__ldg" and len(given) == 1:
        return _loaded(address_of(given[0], names, mask), names, mask)
    values = [value_of(one, names, mask) for one in given]
    if called in _SAME and len(values) == 1:
        return LaneValue(values[0].text, "float")
    if called in ("fma", "fmaf", "__fmaf_rn") and len(values) == 3:
        return LaneValue(f"({values[0].text} * {values[1].text} + {values[2].text})", "float")
    if called in ("rsqrt", "rsqrtf") and len(values) == 1:
        return LaneValue(f"(1 / np.sqrt({values[0].text}))", "float")
    if called not in _CALLS:
        raise unreadable(node, f"a call of `{called}`")
    kind: Kind = "int" if called in _OF_INTEGERS and all(one.kind == "int" for one in values) else "float"
    return LaneValue(f"{_CALLS[called]}({', '.join(one.text for one in values)})", kind)
