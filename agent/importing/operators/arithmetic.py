"""Elementwise arithmetic, comparisons and conversions."""

from __future__ import annotations

from typing import Any

from agent.importing.translation import Operand, Translator, number, operator

_BINARY = {
    "mul": "*", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "bitwise_and": "&",
    "bitwise_or": "|", "bitwise_xor": "^", "bitwise_left_shift": "<<", "bitwise_right_shift": ">>", "__and__": "&",
    "__or__": "|", "true_divide": "/", "floor_divide": "//", "remainder": "%",
}  # fmt: skip
_UNARY = {
    "exp": "np.exp", "log": "np.log", "log1p": "np.log1p", "log2": "np.log2", "log10": "np.log10",
    "expm1": "np.expm1", "sqrt": "np.sqrt", "sin": "np.sin", "cos": "np.cos", "tan": "np.tan", "tanh": "np.tanh",
    "sinh": "np.sinh", "cosh": "np.cosh", "asin": "np.arcsin", "acos": "np.arccos", "atan": "np.arctan",
    "asinh": "np.arcsinh", "acosh": "np.arccosh", "atanh": "np.arctanh", "abs": "np.abs", "floor": "np.floor",
    "ceil": "np.ceil", "trunc": "np.trunc", "sign": "np.sign", "sgn": "np.sign", "square": "np.square",
    "logical_not": "np.logical_not", "isnan": "np.isnan", "isinf": "np.isinf", "exp2": "np.exp2",
}  # fmt: skip
_FUNCTIONS = {
    "minimum": "np.minimum", "maximum": "np.maximum", "fmin": "np.fmin", "fmax": "np.fmax", "atan2": "np.arctan2",
    "logical_and": "np.logical_and", "logical_or": "np.logical_or", "logical_xor": "np.logical_xor",
    "max.other": "np.maximum", "min.other": "np.minimum",
}  # fmt: skip


def _binary(sign: str) -> Any:
    def write(t: Translator, x: Any, y: Any) -> str:
        return f"{number(x)} {sign} {number(y)}"

    return write


def _unary(function: str) -> Any:
    def write(t: Translator, x: Operand) -> str:
        return f"{function}({x})"

    return write


def _function(name: str) -> Any:
    def write(t: Translator, x: Any, y: Any) -> str:
        return f"{name}({x}, {number(y)})"

    return write


for _name, _sign in _BINARY.items():
    operator(_name)(_binary(_sign))
for _name, _text in _UNARY.items():
    operator(_name)(_unary(_text))
for _name, _text in _FUNCTIONS.items():
    operator(_name)(_function(_text))


@operator("add", "sub")
def add(t: Translator, x: Any, y: Any, alpha: Any = 1) -> str:
    """`x + alpha * y`, or less that."""
    assert t.node is not None
    sign = "-" if t.node.operator.startswith("aten.sub") else "+"
    return (
        f"{number(x)} {sign} {number(y)}"
        if alpha == 1
        else f"{number(x)} {sign} {number(alpha)} * {number(y)}"
    )


@operator("rsub")
def rsub(t: Translator, x: Operand, y: Any, alpha: Any = 1) -> str:
    """`y - alpha * x`."""
    return f"{number(y)} - {x}" if alpha == 1 else f"{number(y)} - {number(alpha)} * {x}"


@operator("div")
def div(t: Translator, x: Any, y: Any, rounding_mode: str | None = None) -> str:
    """A quotient, rounded or not."""
    quotient = f"{number(x)} / {number(y)}"
    if rounding_mode is None:
        return quotient
    return f"np.{'floor' if rounding_mode == 'floor' else 'trunc'}({quotient})"


@operator("pow")
def power(t: Translator, x: Any, y: Any) -> str:
    """A power."""
    return f"np.sqrt({x})" if y == 0.5 else f"{number(x)} ** {number(y)}"


@operator("neg")
def neg(t: Translator, x: Operand) -> str:
    """The negative."""
    return f"-{x}"


@operator("reciprocal")
def reciprocal(t: Translator, x: Operand) -> str:
    """`1 / x`."""
    return f"1 / {x}"


@operator("rsqrt")
def rsqrt(t: Translator, x: Operand) -> str:
    """`1 / sqrt(x)`."""
    return f"1 / np.sqrt({x})"


@operator("round")
def rounded(t: Translator, x: Operand, decimals: int = 0) -> str:
    """To the nearest, ties to even."""
    return f"np.round({x}, {decimals})" if decimals else f"np.round({x})"


@operator("bitwise_not")
def bitwise_not(t: Translator, x: Operand) -> str:
    """Bits turned over; truths negated."""
    return f"~{x}"


@operator("erf", "erfc", "lgamma", "digamma")
def special(t: Translator, x: Operand) -> str:
    """A special function."""
    assert t.node is not None
    name = t.node.operator.split(".")[1]
    t.special.add(name)
    return f"{name}({x})"


@operator("fmod")
def fmod(t: Translator, x: Operand, y: Any) -> str:
    """The remainder with the sign of x."""
    return f"{x} - np.trunc({x} / {number(y)}) * {number(y)}"


@operator("clamp", "clip", "hardtanh")
def clamp(t: Translator, x: Operand, least: Any = None, most: Any = None, **words: Any) -> str:
    """Within limits."""
    assert t.node is not None
    if t.node.operator.startswith("aten.hardtanh"):
        least, most = -1.0 if least is None else least, 1.0 if most is None else most
    least, most = words.get("min", least), words.get("max", most)
    if least is None:
        return f"np.minimum({x}, {number(most)})"
    return (
        f"np.maximum({x}, {number(least)})"
        if most is None
        else f"np.clip({x}, {number(least)}, {number(most)})"
    )


@operator("clamp_min")
def clamp_min(t: Translator, x: Operand, least: Any) -> str:
    """Not below."""
    return f"np.maximum({x}, {number(least)})"


@operator("clamp_max")
def clamp_max(t: Translator, x: Operand, most: Any) -> str:
    """Not above."""
    return f"np.minimum({x}, {number(most)})"


@operator("where")
def where(t: Translator, condition: Operand, x: Any, y: Any) -> str:
    """Chosen element by element."""
    return f"np.where({condition}, {number(x)}, {number(y)})"


@operator("masked_fill")
def masked_fill(t: Translator, x: Operand, mask: Operand, value: Any) -> str:
    """Replaced where the mask holds."""
    truths = str(mask) if mask.dtype == "bool" else f"{mask} != 0"
    return f"np.where({truths}, {number(value)}, {x})"


@operator("lerp")
def lerp(t: Translator, x: Operand, y: Operand, weight: Any) -> str:
    """Between two."""
    return f"{x} + {number(weight)} * ({y} - {x})"


@operator("addcmul", "addcdiv")
def addcmul(t: Translator, x: Operand, y: Operand, z: Operand, value: Any = 1) -> str:
    """`x + value * y * z`, or with a quotient."""
    assert t.node is not None
    sign = "/" if "addcdiv" in t.node.operator else "*"
    return f"{x} + {number(value)} * {y} {sign} {z}"


@operator("to", "_to_copy", "type_as", "float", "double", "half")
def to(t: Translator, x: Operand, *others: Any, dtype: str | None = None, **words: Any) -> str:
    """As another dtype: floating point values stay what they are."""
    wanted = t.result().dtype
    if wanted == x.dtype or (x.is_float and wanted in ("float16", "bfloat16", "float32", "float64")):
        return str(x)
    if wanted == "bool":
        return f"{x} != 0"
    if "float" in wanted:
        return f"{x}.astype(np.float64)"
    return f"np.trunc({x}).astype(np.{wanted})" if x.is_float else f"{x}.astype(np.{wanted})"
