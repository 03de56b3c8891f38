"""How far rounding may move an output, by perturbation: the scale S where a reference cannot be traced.

The bound on an element is `c * eps(dtype) * S + ulp`, S being the sum of the absolute terms behind it. A traced run
(`sandbox.reference.running_error`) follows every rounding; what it has no rule for is estimated here. Every
floating input is moved by one unit in its last place, once all of them up and then each at random, and the float64
reference is computed again; inputs of different dtypes one dtype at a time, each move divided by its own eps, and
the results added, so that S does not depend on how coarse the inputs are. Then the reference is run on float32
arrays, whose arithmetic rounds at every step. S is the largest move over the draws, divided by eps. Outputs that
jump (a rounding, an argmax) get a large S at the jump.

A few draws leave some of many elements with next to nothing. So no element gets less than its like: the floor is a
power of the output's magnitude, fitted to all elements, at the upper level of the element's row and at the whole
output's median.
Jumps within reach of a few roundings are looked for last (`sandbox.reference.jumps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext

import numpy

from sandbox.device import Array
from sandbox.dtypes import FLOATS
from sandbox.reference.jumps import Evaluate, answered, distance, jumps
from sandbox.reference.places import moved_places
from sandbox.reference.running_error.precision import np
from sandbox.reference.torch_operators import in_single

_ROW = 8
_UPPER, _ABOVE_MEDIAN = 0.9, 16.0


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
    wanted: Mapping[str, str],
    random: numpy.random.Generator,
    draws: int,
) -> dict[str, Array]:
    """Estimate S; see the module's text.

    Args:
        evaluate: The reference: floating inputs of any dtype as they are, outputs in float64.
        inputs: In their own dtypes.
        outputs: What `evaluate` gives for them in float64.
        wanted: Names of floating outputs, and their dtypes.
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
            perturbed = _perturbed(inputs, chosen, None if draw == 0 else random)
            _collect(moved, answered(evaluate, _wide(inputs) | perturbed, outputs), outputs)
        with np.errstate(over="ignore"):
            for name in wanted:
                scale[name] = scale[name] + moved[name] / FLOATS[kind].epsilon
    single = {name: np.zeros_like(outputs[name]) for name in wanted}
    with in_single(), moved_places(None) as places:
        _collect(single, evaluate(as_single(inputs)), outputs)
    unit = FLOATS["float64" if set(wanted.values()) <= {"float64"} else "float32"].epsilon
    placed = {name: np.zeros_like(outputs[name]) for name in wanted}
    if places.operators:
        placed = _placed(evaluate, inputs, outputs, wanted, unit)
    for name, dtype in wanted.items():
        if dtype != "float64":
            scale[name] = np.fmax(scale[name], single[name] / FLOATS[dtype].epsilon)
        scale[name] = _at_least_its_like(scale[name], outputs[name])
    jumped = jumps(evaluate, _wide(inputs), outputs, scale, unit, random)
    for name, dtype in wanted.items():
        further = np.fmax(jumped[name], placed[name]) / FLOATS[dtype].epsilon
        scale[name] = np.fmax(scale[name], further)
    return scale


def _placed(
    evaluate: Evaluate,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    wanted: Iterable[str],
    unit: float,
) -> dict[str, Array]:
    """Say how far outputs move where ratios of sizes are rounded, as in the places of a resized image.

    That is in float32, unless float64 alone is wanted: there the weights of such places are rounded too.
    """
    found = {name: np.zeros_like(outputs[name]) for name in wanted}
    narrow = unit == FLOATS["float32"].epsilon
    given = as_single(inputs) if narrow else _wide(inputs)
    for by in ((unit, unit), (-unit, -unit), (unit, -unit), (-unit, unit)):
        with moved_places(by), in_single() if narrow else nullcontext():
            _collect(found, answered(evaluate, given, outputs), outputs)
    return found


def _collect(moved: dict[str, Array], found: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
    for name, least in moved.items():
        moved[name] = np.fmax(least, distance(found[name], outputs[name]))


def _at_least_its_like(scale: Array, output: Array) -> Array:
    """Return a scale that is never below the output itself, nor below half of what most of its like have."""
    size = np.abs(output)
    finite: Array = np.isfinite(output) & np.isfinite(scale)
    scale = np.where(finite, np.fmax(scale, size), 0.0)
    known = finite & (scale > 0) & (size > 0)
    if np.count_nonzero(known) < _ROW:
        return scale
    least = float(np.min(size[known]))
    x = np.log(np.where(known, size, least))
    y = np.log(np.where(known, scale, 1.0))
    spread = float(np.var(x[known]))
    together = float(np.mean((x[known] - x[known].mean()) * (y[known] - y[known].mean())))
    power = min(1.0, max(0.0, together / spread)) if spread > 0 else 0.0
    level = np.where(known, y - power * x, np.nan)
    usual = float(np.nanmedian(level))
    floor = np.full(scale.shape, usual - np.log(4))
    if scale.ndim > 1 and scale.shape[-1] >= _ROW:
        floor = np.maximum(floor, _of_rows(level, usual) - np.log(2))
    return np.where(finite, np.fmax(scale, np.exp(floor + power * x)), 0.0)


def _of_rows(level: Array, usual: float) -> Array:
    """Return a level for each row: what a tenth of its elements are above, but near the median where many jump.

    How an operator rounds inside itself (the place between two pixels) shows in one run in float32, and in some
    elements of it; another kernel rounds that way in others.
    """
    ordered = np.sort(level, axis=-1)  # NaN comes last
    count = np.count_nonzero(~np.isnan(level), axis=-1, keepdims=True)
    upper, middle = (
        np.take_along_axis(ordered, (part * np.maximum(count - 1, 0)).astype(np.intp), axis=-1)
        for part in (_UPPER, 0.5)
    )
    return np.where(count > 0, np.minimum(upper, middle + np.log(_ABOVE_MEDIAN)), usual)


def _wide(inputs: Mapping[str, Array]) -> dict[str, Array]:
    return {name: as_float64(array) if is_floating(array) else array for name, array in inputs.items()}


def as_single(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return floating inputs as float32, and the others as they are."""
    return {name: array.astype(np.float32) if is_floating(array) else array for name, array in inputs.items()}


def _perturbed(
    inputs: Mapping[str, Array], steps: Mapping[str, Array], random: numpy.random.Generator | None
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
