"""Comparison and selection (PTX ISA 9.0, section 9.7.6)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Modifiers, Slots, formula, refuse, step
from sandbox.simulator.instructions.half import BFLOAT, HALF, split
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.numerics.rounding import flush
from sandbox.simulator.ptx.syntax import Instruction, Pair, Register
from sandbox.simulator.ptx.types import TYPES, PtxType

Relation = Callable[[Array, Array], Array]
_PRED = TYPES["pred"]

_ORDERED: dict[str, Relation] = {
    "eq": np.equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lo": np.less,
    "ls": np.less_equal,
    "hi": np.greater,
    "hs": np.greater_equal,
}
_COMBINE: dict[str, Relation] = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}


def _relation(name: str, kind: PtxType) -> Relation:
    """The comparison; ordered float comparisons are false on NaN, those ending in u are true."""
    floating = kind.is_float or kind.name in {"bf16", "bf16x2", "f16x2"}
    if name == "ne":
        return (lambda a, b: (a != b) & ~(np.isnan(a) | np.isnan(b))) if floating else np.not_equal
    if name == "num":
        return lambda a, b: ~(np.isnan(a) | np.isnan(b))
    if name == "nan":
        return lambda a, b: np.isnan(a) | np.isnan(b)
    if name in _ORDERED:
        return _ORDERED[name]
    plain = _ORDERED.get(name[:-1], np.not_equal)
    return lambda a, b: plain(a, b) | np.isnan(a) | np.isnan(b)


def _flushed(relation: Relation, m: Modifiers) -> Relation:
    return (lambda a, b: relation(flush(a), flush(b))) if "ftz" in m else relation


def _sixteen(relation: Relation, kind: PtxType, high: bool) -> Relation:
    form = BFLOAT if kind.name.startswith("bf16") else HALF
    if kind.bits == 16:
        return lambda a, b: relation(form.widen(a), form.widen(b))
    return lambda a, b: relation(form.widen(split(a, high)), form.widen(split(b, high)))


@step("setp", "9.7.6.2, 9.7.7.2")
def setp(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Compare, optionally combine with a predicate, to one or two predicates."""
    kind = m.type
    relation = _flushed(_relation(m.parts[0], kind), m)
    relations = [relation]
    packed = kind.name in {"f16x2", "bf16x2"}
    if packed or kind.name == "bf16":
        relations = [_sixteen(relation, kind, high) for high in ((False, True) if packed else (False,))]
    combine = next((_COMBINE[part] for part in m.parts if part in _COMBINE), None)
    target, *sources = i.operands
    a, b = (slots.source(operand, kind) for operand in sources[:2])
    c = slots.source(sources[2], _PRED) if combine else 0
    targets = (target.first, target.second) if isinstance(target, Pair) else (target, None)
    first, second = (slots.target(t) if isinstance(t, Register) else None for t in targets)
    dtype = kind.dtype

    def run(machine: Machine) -> None:
        registers = machine.registers
        x, y = registers[a], registers[b]
        x = x if x.dtype is dtype else x.view(dtype)
        y = y if y.dtype is dtype else y.view(dtype)
        results = [compare(x, y) for compare in relations]
        if second is not None and not packed:
            results.append(~results[0])
        if combine:
            results = [combine(result, registers[c]) for result in results]
        if first is not None:
            machine.write(first, results[0])
        if second is not None:
            machine.write(second, results[1])

    return run


@formula("set", "9.7.6.1, 9.7.7.1")
def set_(m: Modifiers) -> Formula:
    """Compare to an integer mask or to 1.0 / 0.0."""
    if any(part in _COMBINE for part in m.parts):
        raise refuse("set with a boolean operator")
    result, kind = m.types[-2], m.types[-1]
    relation = _flushed(_relation(m.parts[0], kind), m)
    if kind.name in {"f16x2", "bf16x2"}:
        return _packed_set(relation, result, kind)
    if kind.name == "bf16":
        relation = _sixteen(relation, kind, high=False)
    if result.is_float:
        return Formula((kind, kind), result, lambda a, b: relation(a, b).astype(result.dtype))
    return Formula((kind, kind), result, lambda a, b: -relation(a, b).astype(f"int{result.bits}"))


def _packed_set(relation: Relation, result: PtxType, kind: PtxType) -> Formula:
    one = 0x3C00 if result.name == "f16x2" else 0x3F80 if result.name == "bf16x2" else 0xFFFF

    def compare(a: Array, b: Array) -> Array:
        low = _sixteen(relation, kind, high=False)(a, b).astype(np.uint32) * np.uint32(one)
        high = _sixteen(relation, kind, high=True)(a, b).astype(np.uint32) * np.uint32(one)
        return low | high << np.uint32(16)

    return Formula((kind, kind), result, compare)


@formula("selp", "9.7.6.3")
def selp(m: Modifiers) -> Formula:
    """The first operand where the predicate holds, else the second."""
    kind = m.type
    return Formula((kind, kind, _PRED), kind, lambda a, b, p: np.where(p, a, b))


@formula("slct", "9.7.6.4")
def slct(m: Modifiers) -> Formula:
    """The first operand where the third is not negative, else the second."""
    kind, condition = m.types[-2], m.types[-1]
    return Formula((kind, kind, condition), kind, lambda a, b, c: np.where(c >= 0, a, b))
