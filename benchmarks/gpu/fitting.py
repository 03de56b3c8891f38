"""Fits the cost model's constants to latencies measured on one GPU or several; what is held out says its worth."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, cast

import numpy as np

from benchmarks.ranking.ranks import spearman
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.simulator.cost.constants import CostConstants

Array = np.ndarray[Any, Any]
HoldOut = Literal["kernels", "tasks"]

LAUNCH = "launch_us"
"""The one that belongs to a GPU and not to `CostConstants`."""
BOUNDS: Mapping[str, tuple[float, float]] = {
    "dram_efficiency": (0.8, 1.0),
    "dram_write_efficiency": (0.7, 1.0),
    "request_clocks": (0.5, 8.0),
    "line_clocks": (0.3, 3.0),
    "beyond_line_clocks": (0.5, 16.0),
    "atomic_clocks": (0.1, 16.0),
    "half_atomic_clocks": (1.0, 64.0),
    "packed_half_atomic_clocks": (0.5, 32.0),
    "shared_atomic_clocks": (0.5, 32.0),
    "smooth": (1.5, 16.0),
    "barrier_clocks": (5.0, 400.0),
    "round_clocks": (20.0, 4000.0),
    "others_issue": (0.01, 2.0),
    "uncovered": (0.02, 1.5),
    LAUNCH: (0.2, 20.0),
}
"""What is fitted, and between which values: those that are assumed and not whole numbers, and how far a GPU might
be from the assumption. A fit that ends at a bound says that the model lacks something there."""

EVERY = 3
"""One kernel, or task, of so many is held out, by the rest of its hash."""
HELD_REST: Mapping[HoldOut, int] = {"kernels": 1, "tasks": 0}
"""Which rest that is: with these the fitting set depends on every constant. Set before anything was measured."""
FEWEST_HELD_OUT = 3
KERNELS_A_CONSTANT = 1
FELT = 1e-3
"""A constant that changes no estimate of the fitting set by this part, anywhere between its bounds, is left alone."""
PULL = 0.01
"""Weight of a constant's distance from where it was, in parts of its range: it only decides where kernels do not."""
FAR = 0.2
"""Logarithm of an error beyond which it counts in proportion and no longer squared: what the model does not know of
one kernel should not bend the constants of all."""
ENOUGH = 1e-4
"""The fit ends where a step changes constants, or the sum of errors, by less than this part."""
STEP = 0.01
"""Of a range, for slopes: the order in which instructions issue makes estimates jump a little."""


class Observed(Protocol):
    """A measured kernel that the simulator counted."""

    @property
    def group(self) -> str:
        """What it competes in: a task, or a family at one shape."""
        ...

    @property
    def held_with(self) -> str:
        """What is held out together with it where whole tasks are."""
        ...

    @property
    def variant(self) -> str:
        """Its name there."""
        ...

    @property
    def measured_us(self) -> float:
        """What was measured."""
        ...

    def estimated_us(self, constants: CostConstants, launch_us: float) -> float:
        """What the model makes of the counts."""
        ...


@dataclass(frozen=True)
class Setting:
    """What an estimate is made with; the launch's cost is the same for every GPU."""

    constants: CostConstants
    launch_us: float

    def value(self, name: str) -> float:
        """Return one of `BOUNDS`."""
        return self.launch_us if name == LAUNCH else getattr(self.constants, name)

    def with_values(self, values: Mapping[str, float]) -> Setting:
        """Return another setting, in which these differ."""
        own = {name: value for name, value in values.items() if name != LAUNCH}
        return Setting(replace(self.constants, **own), values.get(LAUNCH, self.launch_us))

    def estimates(self, observations: Sequence[Observed]) -> Array:
        """Return the estimated latency of each, microseconds."""
        return np.array([one.estimated_us(self.constants, self.launch_us) for one in observations])

    def errors(self, observations: Sequence[Observed]) -> Array:
        """Return log(estimated / measured) of each."""
        return np.log(self.estimates(observations) / _measured(observations))


def _measured(observations: Sequence[Observed]) -> Array:
    return np.array([one.measured_us for one in observations])


@dataclass(frozen=True)
class Quality:
    """How good estimates of some kernels are.

    Attributes:
        median_error: Of |log(estimated / measured)|.
        spearman: Rank correlation of estimates and measurements; None where there is no order.
    """

    kernels: int
    median_error: float
    spearman: float | None


@dataclass(frozen=True)
class Fit:
    """A fit, and what it does for the kernels that it saw and for those that it did not.

    Attributes:
        free: The constants that were fitted; the rest of `BOUNDS` no kernel of the fitting set depends on.
        qualities: By set (`fitting`, `held out`, `all`, and each task of two kernels or more), before and after.
    """

    before: Setting
    after: Setting
    free: tuple[str, ...]
    fitting: tuple[Observed, ...]
    held_out: tuple[Observed, ...]
    qualities: Mapping[str, tuple[Quality, Quality]]


def split(
    observations: Sequence[Observed], hold_out: HoldOut = "kernels"
) -> tuple[list[Observed], list[Observed]]:
    """Say which observations are fitted, and which are held out.

    By a hash of the name, so that a kernel stays where it is whatever others come or go. By default single kernels
    are held out: most constants matter to one or two tasks only, and without any of their kernels nothing would
    determine them; a task of one kernel is fitted. But kernels of one task are alike, so that says little of other
    tasks; `tasks` holds out whole ones.
    """
    names = [one.held_with if hold_out == "tasks" else f"{one.group}/{one.variant}" for one in observations]
    out = [
        int(hashlib.sha256(name.encode()).hexdigest(), 16) % EVERY == HELD_REST[hold_out] for name in names
    ]
    if hold_out == "kernels":
        alone = Counter(one.group for one in observations)
        out = [held and alone[one.group] > 1 for one, held in zip(observations, out, strict=True)]
    fitting = [one for one, held in zip(observations, out, strict=True) if not held]
    return fitting, [one for one, held in zip(observations, out, strict=True) if held]


def quality(setting: Setting, observations: Sequence[Observed]) -> Quality:
    """Compare estimates with measurements."""
    estimated, measured = setting.estimates(observations), _measured(observations)
    error = float(np.median(np.abs(np.log(estimated / measured))))
    return Quality(len(observations), error, spearman(list(estimated), list(measured)))


def fit(observations: Sequence[Observed], before: Setting, hold_out: HoldOut = "kernels") -> Fit:
    """Fit the constants to the kernels that are not held out.

    Raises:
        UsageError: There are too few kernels.
        MissingDependencyError: scipy is not installed.
    """
    fitting, held_out = split(observations, hold_out)
    _require_enough(len(fitting), len(held_out))
    after, free = fitted(fitting, before)
    sets = {"fitting": fitting, "held out": held_out, "all": list(observations)}
    for group in sorted({one.group for one in observations}):
        sets[group] = [one for one in observations if one.group == group]
    qualities = {
        name: (quality(before, some), quality(after, some)) for name, some in sets.items() if len(some) > 1
    }
    return Fit(before, after, free, tuple(fitting), tuple(held_out), qualities)


def each_held_out(observations: Sequence[Observed], before: Setting) -> Array:
    """Estimate every kernel by constants that were fitted without any of those that are held out with it.

    Returns:
        Microseconds, in the order of the observations.
    """
    found = np.zeros(len(observations))
    wholes = np.array([one.held_with for one in observations])
    for whole in sorted(set(wholes)):
        rest = [one for one, mine in zip(observations, wholes == whole, strict=True) if not mine]
        own = [one for one, mine in zip(observations, wholes == whole, strict=True) if mine]
        found[wholes == whole] = fitted(rest, before)[0].estimates(own)
    return found


def fitted(fitting: Sequence[Observed], before: Setting) -> tuple[Setting, tuple[str, ...]]:
    """Fit to these kernels; also say which constants any of them depends on."""
    free = tuple(name for name in BOUNDS if _felt(name, before, fitting))
    return before.with_values(_least_squares(free, before, fitting)) if free else before, free


def _require_enough(fitting: int, held_out: int) -> None:
    needed = KERNELS_A_CONSTANT * len(BOUNDS)
    if fitting < needed or held_out < FEWEST_HELD_OUT:
        raise UsageError(
            f"too few kernels were measured: {fitting} to fit {len(BOUNDS)} constants to and {held_out} held out,"
            f" at least {needed} and {FEWEST_HELD_OUT} are needed"
        )


def _felt(name: str, before: Setting, fitting: Sequence[Observed]) -> bool:
    ends = [before.with_values({name: end}).errors(fitting) for end in BOUNDS[name]]
    return float(np.max(np.abs(ends[1] - ends[0]))) > FELT


def solver() -> Any:
    """Return scipy's least squares.

    Raises:
        MissingDependencyError: scipy is not installed.
    """
    try:
        from scipy.optimize import least_squares  # pyright: ignore[reportUnknownVariableType]
    except ImportError:
        raise MissingDependencyError("scipy is not installed: pip install 'warpwright[bench]'") from None
    return cast(Any, least_squares)


def _least_squares(free: Sequence[str], before: Setting, fitting: Sequence[Observed]) -> dict[str, float]:
    low = np.array([math.log(BOUNDS[name][0]) for name in free])
    high = np.array([math.log(BOUNDS[name][1]) for name in free])

    def values(places: Array) -> dict[str, float]:
        logs = low + (places - 1) * (high - low)
        return {name: float(np.exp(log)) for name, log in zip(free, logs, strict=True)}

    weights = _weights(fitting)

    def residuals(places: Array) -> Array:
        errors = weights * before.with_values(values(places)).errors(fitting)
        return np.concatenate([errors, PULL * (places - start)])

    # Places lie between 1 and 2, so that a relative step is about the same part of every range.
    start = 1 + (np.log([before.value(name) for name in free]) - low) / (high - low)
    found = solver()(
        residuals, start, bounds=(1.0, 2.0), loss="soft_l1", f_scale=FAR, diff_step=STEP, xtol=ENOUGH,
        ftol=ENOUGH,
    )  # fmt: skip
    return values(found.x)


def _weights(fitting: Sequence[Observed]) -> Array:
    """Less for each kernel of a large set: its kernels err alike."""
    names = [one.held_with for one in fitting]
    weights = np.array([names.count(name) ** -0.25 for name in names])
    return weights / weights.mean()
