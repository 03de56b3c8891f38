"""How far rounding may move an output: the scale S of the error bound, estimated by perturbation.

The bound on an element is `c * eps(dtype) * S + ulp`, S being the sum of the absolute terms behind it.
Where reference.py does not give S, every floating input is moved by one unit in its last place and the
float64 reference is computed again. An input x moves by about eps * |x|, so an output moves by about eps
times its terms: S is taken as the largest move over the draws, divided by eps. The first draw moves all
inputs up, which finds the whole sum of absolute terms where inputs are just added; the others have random
signs, and find less of it (the square root of the number of terms, where those are alike): tasks that need
more give `magnitude`. Inputs of different dtypes are moved one dtype at a time, each move divided by its own
eps, and the results added; so S does not depend on how coarse the inputs are. S is never below the output
itself, and 0 where that is not finite. Outputs that jump (a rounding, an argmax) get a large S at the jump.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from sandbox.device import Array
from sandbox.dtypes import FLOATS

Evaluate = Callable[[Mapping[str, Array]], Mapping[str, Array]]


def is_floating(array: Array) -> bool:
    """Say whether an array holds floating numbers, bfloat16 included."""
    return array.dtype.name in FLOATS


def as_float64(array: Array) -> Array:
    """Return the same values as float64, exactly; a copy."""
    return array.astype(np.float64)


def unit_in_last_place(array: Array) -> Array:
    """Return the distance to the next number of the array's own dtype, as float64; 0 if not finite."""
    if array.dtype.name != "bfloat16":
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            spacing = np.spacing(np.abs(array)).astype(np.float64)
        return np.where(np.isfinite(spacing), spacing, 0.0)
    wide = as_float64(array)
    finite = np.isfinite(wide)
    _, exponent = np.frexp(np.where(finite, wide, 0.0))
    layout = FLOATS[array.dtype.name]
    exponent = np.maximum(np.where(wide == 0, -(1 << 20), exponent - 1), layout.least_exponent)
    return np.where(finite, np.ldexp(1.0, exponent - layout.fraction_bits), 0.0)


def estimate(
    evaluate: Evaluate,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    wanted: Collection[str],
    random: np.random.Generator,
    draws: int,
) -> dict[str, Array]:
    """Estimate S; see the module's text.

    Args:
        evaluate: The float64 reference: floating inputs of any dtype, outputs in float64.
        inputs: In their own dtypes.
        outputs: What `evaluate` gives for them.
        wanted: Names of floating outputs.
        random: Where the directions come from.
        draws: How often the inputs of each dtype are moved.
    """
    scale = {name: np.zeros_like(outputs[name]) for name in wanted}
    steps = {name: unit_in_last_place(array) for name, array in inputs.items() if is_floating(array)}
    kinds = sorted({inputs[name].dtype.name for name in steps})
    for kind in kinds:
        moved = {name: np.zeros_like(outputs[name]) for name in wanted}
        for draw in range(draws):
            chosen = {name: step for name, step in steps.items() if inputs[name].dtype.name == kind}
            perturbed = evaluate({**inputs, **_perturbed(inputs, chosen, None if draw == 0 else random)})
            with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is sorted out below
                for name in wanted:
                    moved[name] = np.fmax(moved[name], np.abs(perturbed[name] - outputs[name]))
        with np.errstate(over="ignore"):
            for name in wanted:
                scale[name] = scale[name] + moved[name] * 2.0 ** FLOATS[kind].fraction_bits
    for name in wanted:
        finite = np.isfinite(outputs[name]) & np.isfinite(scale[name])
        scale[name] = np.where(finite, np.fmax(scale[name], np.abs(outputs[name])), 0.0)
    return scale


def _perturbed(
    inputs: Mapping[str, Array], steps: Mapping[str, Array], random: np.random.Generator | None
) -> dict[str, Array]:
    """Move inputs by these steps: up, or each element up or down at random."""
    moved: dict[str, Array] = {}
    for name, step in steps.items():
        wide = as_float64(inputs[name])
        if random is None:
            moved[name] = wide + step
        else:
            up = np.asarray(random.integers(0, 2, step.shape), dtype=np.bool_)
            moved[name] = wide + np.where(up, step, -step)
    return moved
