"""Where an output may jump, for scales that are found by perturbation.

A kernel that rounds `(x + 1) * n / 2` to a place takes the neighbour where `x` is near an edge, and is right. One
unit in the last place of a small `x` does not show that: the sum rounds by units of 1. So floating inputs are moved
once more by a few units of single precision at their usual size, all up, all down, at random and the other way.
Elements that change out of proportion are looked at again with a smaller move: what is smooth follows it, what jumps
does not. Where it jumps, what it jumped by is part of the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy

from sandbox.device import Array
from sandbox.reference.running_error.precision import np

_UNITS = 8.0
"""Units of the usual size: what a few operations before a step may have rounded by."""

_SMALLER = 16.0
_OUT_OF_PROPORTION = 256.0
"""Changes up to so many units of the scale are no jump."""

Evaluate = Callable[[Mapping[str, Array]], Mapping[str, Array]]


def jumps(
    evaluate: Evaluate,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    scale: Mapping[str, Array],
    unit: float,
    random: numpy.random.Generator,
) -> dict[str, Array]:
    """Say by how much each element jumps near these inputs; 0 where it does not.

    Args:
        evaluate: The reference, of floating inputs in float64.
        inputs: Floating ones in float64, and the others.
        outputs: What `evaluate` gives for them.
        scale: Of each output that is wanted, as found so far.
        unit: The relative error of the arithmetic before a step.
        random: Where directions come from.
    """
    found = {name: np.zeros_like(one) for name, one in scale.items()}
    steps = {
        name: _UNITS * unit * _usual_size(one) for name, one in inputs.items() if one.dtype == np.float64
    }
    if not any(steps.values()):
        return found
    for signs in _directions(inputs, steps, random):
        far = _changes(evaluate, inputs, outputs, steps, signs, 1.0)
        large = {name: far[name] > _OUT_OF_PROPORTION * unit * one for name, one in scale.items()}
        if not any(one.any() for one in large.values()):
            continue
        near = _changes(evaluate, inputs, outputs, steps, signs, 1 / _SMALLER)
        for name in found:
            change = far[name]
            smooth = (near[name] >= change / _SMALLER / 4) & (near[name] <= change / _SMALLER * 4)
            found[name] = np.fmax(found[name], np.where(large[name] & ~smooth, change, 0.0))
    return found


def _usual_size(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(np.median(finite)) if finite.size else 0.0


def _directions(
    inputs: Mapping[str, Array], steps: Mapping[str, float], random: numpy.random.Generator
) -> list[dict[str, Array]]:
    up = {name: np.ones(inputs[name].shape) for name in steps}
    some = {name: np.asarray(random.integers(0, 2, inputs[name].shape)) * 2.0 - 1.0 for name in steps}
    return [up, _opposite(up), some, _opposite(some)]


def _opposite(signs: Mapping[str, Array]) -> dict[str, Array]:
    return {name: -one for name, one in signs.items()}


def _changes(
    evaluate: Evaluate,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    steps: Mapping[str, float],
    signs: Mapping[str, Array],
    part: float,
) -> dict[str, Array]:
    steps_now = {name: inputs[name] + part * steps[name] * signs[name] for name in steps}
    moved = answered(evaluate, {**inputs, **steps_now}, outputs)
    return {name: distance(moved[name], one) for name, one in outputs.items() if one.dtype == np.float64}


def answered(
    evaluate: Evaluate, moved: Mapping[str, Array], outputs: Mapping[str, Array]
) -> Mapping[str, Array]:
    """Return the reference's answer to moved inputs; its answer to the true ones where it refuses these.

    A reference need not have an answer beside its inputs: an index that follows from them may leave its array there,
    a matrix may lose its factors. Nothing is known of such a move then.
    """
    try:
        found = evaluate(moved)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a task author's code may raise anything
        return outputs
    same = all(name in found and found[name].shape == one.shape for name, one in outputs.items())
    return found if same else outputs


def distance(found: Array, expected: Array) -> Array:
    """Return how far results moved; 0 where that is no number."""
    with np.errstate(invalid="ignore", over="ignore"):
        moved = np.abs(found - expected)
        return np.where(np.isfinite(moved), moved, 0.0)
