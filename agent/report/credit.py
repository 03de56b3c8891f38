"""What features earned in one run, by the rule of `agent.store.credits`, which asks all runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.candidates import Line
from agent.report.account import FeatureCredit, Figure
from sandbox.verdict import Provenance, Verdict

_TELLS_NOTHING = {Verdict.UNDECIDED, Verdict.UNSUPPORTED}


def credit(lines: Sequence[Line], provenance: Provenance) -> tuple[FeatureCredit, ...]:
    """Return what each feature earned, the largest gain first.

    Args:
        lines: The run's judged candidates, the baseline among them.
        provenance: Of their latencies.
    """
    latencies = {line.sha: line.latency_us for line in reversed(lines) if line.correct and line.sha}
    start = next((line.latency_us for line in lines if line.round == 0), None)
    seen: dict[str, list[tuple[float, int] | None]] = {}
    for line in lines:
        if (
            line.round == 0
            or line.lost
            or line.duplicate
            or line.sha is None
            or line.verdict in _TELLS_NOTHING
        ):
            continue
        known = [us for sha in line.parents if (us := latencies.get(sha)) is not None]
        gain, shared = _log_gain(line, min(known, default=start)), len(line.features) + len(line.without)
        for feature in line.features:
            seen.setdefault(feature, []).append(None if gain is None else (gain, shared))
        if gain is not None:
            for feature in line.without:
                seen.setdefault(feature, []).append((-gain, shared))
    earned = [_earned(feature, gains, provenance) for feature, gains in seen.items()]
    return tuple(sorted(earned, key=lambda one: (-(one.gain.value if one.gain else 0.0), one.feature)))


def _log_gain(line: Line, before_us: float | None) -> float | None:
    if not line.correct or not line.latency_us or not before_us:
        return None
    return math.log(before_us / line.latency_us)


def _earned(feature: str, gains: Sequence[tuple[float, int] | None], provenance: Provenance) -> FeatureCredit:
    told = [one for one in gains if one is not None]
    mean = sum(gain / shared for gain, shared in told) / len(told) if told else None
    return FeatureCredit(
        feature=feature,
        tries=len(gains),
        correct=len(told),
        improved=sum(gain > 0 for gain, _ in told),
        gain=None if mean is None else Figure(value=math.exp(mean), unit="x", provenance=provenance),
    )
