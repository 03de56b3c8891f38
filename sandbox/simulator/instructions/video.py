"""SIMD video instructions: two halves or four bytes of a word at once (PTX ISA 9.0, section 9.7.18.2)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, FormulaBuilder, Modifiers, formula
from sandbox.simulator.ptx.types import S64, TYPES, U32, PtxType

_U32 = TYPES["u32"]

_PARTS: dict[str, Callable[[Array, Array], Array]] = {
    "vadd": np.add,
    "vsub": np.subtract,
    "vavrg": lambda a, b: a + b + (a + b >= 0) >> 1,
    "vabsdiff": lambda a, b: np.abs(a - b),
    "vmin": np.minimum,
    "vmax": np.maximum,
}
_RELATIONS: dict[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def field(word: Array, bits: int, index: int, signed: bool) -> Array:
    """Field `index` of `bits` bits of a word, extended to int64."""
    value = word.astype(S64) >> (bits * index) & ((1 << bits) - 1)
    return value - (value >> (bits - 1) << bits) if signed else value


def _simd(m: Modifiers, ways: int, types: list[PtxType], part: Callable[[Array, Array], Array]) -> Formula:
    """`.add` accumulates the parts onto c; else they are the parts of the result."""
    bits, accumulate = 32 // ways, "add" in m
    result, left, right = types
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if result.is_signed else (0, (1 << bits) - 1)

    def compute(a: Array, b: Array, c: Array) -> Array:
        total = c.astype(S64) if accumulate else np.zeros((1, 1, 1), S64)
        for index in range(ways):
            value = part(field(a, bits, index, left.is_signed), field(b, bits, index, right.is_signed))
            value = np.clip(value, low, high) if "sat" in m else value
            total = total + value if accumulate else total | (value & ((1 << bits) - 1)) << bits * index
        return total.astype(U32)

    return Formula((_U32,) * 3, _U32, compute)


def _arithmetic(m: Modifiers, name: str, ways: int) -> Formula:
    """Arithmetic on every field; `.sat` clamps, `.add` sums the fields onto c."""
    return _simd(m, ways, list(m.types[:3]), _PARTS[name])


def _comparison(m: Modifiers, ways: int) -> Formula:
    """Compare every field to 1 or 0; `.add` counts onto c."""
    relation = next(_RELATIONS[part] for part in m.parts if part in _RELATIONS)
    return _simd(m, ways, [_U32, *m.types[:2]], lambda a, b: relation(a, b).astype(S64))


def _described(build: FormulaBuilder, documented: Callable[..., Formula]) -> FormulaBuilder:
    build.__doc__ = documented.__doc__
    return build


_NOTE = "whole words: no field selectors, no write mask"
for _ways, _section, _set_section in ((2, "9.7.18.2.1", "9.7.18.2.2"), (4, "9.7.18.2.3", "9.7.18.2.4")):
    for _name in _PARTS:
        formula(f"{_name}{_ways}", _section, _NOTE)(
            _described(partial(_arithmetic, name=_name, ways=_ways), _arithmetic)
        )
    formula(f"vset{_ways}", _set_section, _NOTE)(_described(partial(_comparison, ways=_ways), _comparison))
