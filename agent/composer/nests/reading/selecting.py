"""What a mask selects: how many elements depends on the data, so all are kept, each with whether it counts."""

from __future__ import annotations

import math
from typing import Any

from agent.composer.expressions import Kind
from agent.composer.folding import binary, unary
from agent.composer.ir import Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Tracer
from agent.composer.nests.kinds import literal, truth
from agent.composer.nests.points import chosen
from agent.composer.nests.reading.values import Selected, element_wise

_NEUTRAL: dict[str, float] = {"sum": 0, "prod": 1, "max": -math.inf, "min": math.inf}


def selected(tracer: Tracer, array: Array, mask: Array) -> Selected:
    """`array[mask]`, a copy.

    Raises:
        NotExpressed: The mask is for some of the axes alone, or has another shape.
    """
    if mask.shape != array.shape:
        raise NotExpressed("selecting by a mask that has not the shape of what it selects from; use np.where")
    return Selected(tracer.array(array.shape, array.at), tracer.array(mask.shape, mask.at))


def counted(tracer: Tracer, chosen_ones: Selected) -> Array:
    """How many elements are selected."""
    ones = element_wise(tracer, lambda met: chosen(truth(met), Literal(1), Literal(0)), chosen_ones.mask)
    return tracer.folded("sum", ones, range(len(ones.axes)))


def reduced(tracer: Tracer, name: str, chosen_ones: Selected, axis: Any, words: dict[str, Any]) -> Array:
    """What a reduction makes of the selected elements.

    Raises:
        NotExpressed: It is not one that is read for selected elements.
    """
    if axis not in (None, 0, -1) or words.get("keepdims"):
        raise NotExpressed(f"np.{name} of selected elements along an axis")
    match name:
        case "sum" | "prod" | "max" | "min" | "amax" | "amin":
            return _folded(tracer, name.removeprefix("a"), chosen_ones)
        case "mean":
            return _mean(tracer, chosen_ones)
        case "var" | "std":
            found = _variance(tracer, chosen_ones, words.get("ddof", 0))
            return element_wise(tracer, lambda x: unary("sqrt", x), found) if name == "std" else found
        case "any" | "all" | "count_nonzero":
            return _whether(tracer, name, chosen_ones)
        case _:
            raise NotExpressed(f"np.{name} of selected elements")


def _folded(tracer: Tracer, op: str, chosen_ones: Selected) -> Array:
    kind = max(chosen_ones.array.kind, Kind.INTEGER)
    if kind is not Kind.REAL and op in ("max", "min"):
        raise NotExpressed(f"the {op} of selected whole numbers")
    neutral = literal(_NEUTRAL[op], kind)
    values = element_wise(
        tracer, lambda met, x: chosen(truth(met), x, neutral), chosen_ones.mask, chosen_ones.array
    )
    return tracer.folded(op, values, range(len(values.axes)))


def _mean(tracer: Tracer, chosen_ones: Selected) -> Array:
    total = _folded(tracer, "sum", chosen_ones)
    return element_wise(
        tracer, lambda x, n: binary("/", x, unary("real", n)), total, counted(tracer, chosen_ones)
    )


def _squared_gap(value: Node, centre: Node) -> Node:
    gap = binary("-", value, centre)
    return binary("*", gap, gap)


def _variance(tracer: Tracer, chosen_ones: Selected, off: Any) -> Array:
    centre = _mean(tracer, chosen_ones)
    square = element_wise(tracer, _squared_gap, chosen_ones.array, centre)
    count = element_wise(tracer, lambda n, o: binary("-", n, o), counted(tracer, chosen_ones), off)
    total = _folded(tracer, "sum", Selected(square, chosen_ones.mask))
    return element_wise(tracer, lambda x, n: binary("/", x, unary("real", n)), total, count)


def _whether(tracer: Tracer, name: str, chosen_ones: Selected) -> Array:
    """How many selected elements are not 0, or what follows from that."""
    ones = element_wise(tracer, lambda x: chosen(truth(x), Literal(1), Literal(0)), chosen_ones.array)
    count = _folded(tracer, "sum", Selected(ones, chosen_ones.mask))
    if name == "count_nonzero":
        return count
    least = counted(tracer, chosen_ones) if name == "all" else 1
    return element_wise(tracer, lambda x, n: binary(">=", x, n), count, least)
