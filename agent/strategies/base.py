"""What a strategy sees, what it answers, and what all of them ask of a history."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.candidates import Belief, Line, Slot
from prompts import Feature
from sandbox.verdict import Verdict

GAIN = 0.005
"""The part of the best latency that a round must gain to count as better."""
REPAIRS = 2
"""Repairs of one failed kernel."""
# The further a failed kernel came, the less there is to repair; what the device cannot judge comes last, but nothing
# is known against what this machine had no time or memory to judge.
FURTHEST_FIRST = (
    Verdict.PASS,
    Verdict.UNDECIDED,
    Verdict.WRONG_RESULT,
    Verdict.NONDETERMINISTIC,
    Verdict.INPUT_MODIFIED,
    Verdict.RACE,
    Verdict.UNINITIALIZED,
    Verdict.BARRIER_DIVERGENCE,
    Verdict.MEMORY_FAULT,
    Verdict.TIMEOUT,
    Verdict.LAUNCH_ERROR,
    Verdict.RESOURCE_LIMIT,
    Verdict.COMPILE_ERROR,
    Verdict.REJECTED,
    Verdict.UNSUPPORTED,
)


@dataclass(frozen=True)
class RunView:
    """A run as a strategy sees it before a round.

    Attributes:
        round: The one to plan, from 1.
        depth: Rounds at most.
        candidates: Of a round.
        baseline: The task's own kernel; its latency is every gain's reference.
        lines: Every judged candidate of earlier rounds, by round and candidate.
        features: What may be tried on this task and device.
        beliefs: What those features are thought to gain, from their pages and from earlier runs.
        hints: Features that the critic named.
        patience: Rounds without a gain after which to stop; None leaves it to the strategy.
        seed: For whatever is random; the same run and round give the same one.
        settle: Which features a kernel really uses when some are asked for; None where nobody can know, as with a
            model's kernels, which are no sets of switches.
    """

    round: int
    depth: int
    candidates: int
    baseline: Line
    lines: tuple[Line, ...]
    features: tuple[Feature, ...] = ()
    beliefs: Mapping[str, Belief] = field(default_factory=dict[str, Belief])
    hints: tuple[str, ...] = ()
    patience: int | None = None
    seed: int = 0
    settle: Callable[[Iterable[str]], Sequence[str]] | None = None


class Strategy(Protocol):
    """Says what the next round builds on, and when another one is not worth it."""

    @property
    def name(self) -> str:
        """As people ask for it."""
        ...

    def slots(self, view: RunView, count: int) -> Sequence[Slot]:
        """Return so many slots for the next round."""
        ...

    def stalled(self, view: RunView) -> bool:
        """Whether the search has gone on for long enough without a gain."""
        ...


def correct(view: RunView) -> list[Line]:
    """Return the correct, distinct candidates, the fastest first."""
    found = [line for line in view.lines if line.correct and not line.duplicate and line.sha is not None]
    return sorted(found, key=lambda line: (line.latency_us or math.inf, line.place))


def by_sha(view: RunView) -> dict[str, Line]:
    """Return the first line of each kernel, the baseline among them."""
    found: dict[str, Line] = {}
    for line in (view.baseline, *view.lines):
        if line.sha is not None:
            found.setdefault(line.sha, line)
    return found


def failed(lines: Sequence[Line]) -> list[Line]:
    """Return failed candidates that have a kernel, each source once, those that came furthest first."""
    latest = {line.sha: line for line in lines if line.sha and not line.correct and not line.lost}
    return sorted(latest.values(), key=lambda line: (FURTHEST_FIRST.index(line.verdict), -line.round))


def reachable(view: RunView) -> list[Line]:
    """Return failed kernels that are worth another attempt, those that came furthest first.

    Left out are those that were repaired already, and those whose repairs all failed.
    """
    repaired = Counter(sha for line in view.lines for sha in line.parents)
    mended = {sha for line in view.lines if line.correct for sha in line.parents}
    return [
        line
        for line in failed(view.lines)
        if line.sha is not None and repaired[line.sha] < REPAIRS and line.sha not in mended
    ]


def rounds_without_gain(view: RunView) -> int:
    """Return how many rounds ago the best kernel last got better; rounds before the first one do not count."""
    best, waited = None, 0
    for number in range(1, view.round):
        told = [line for line in view.lines if line.round == number and not line.lost]
        times = [line.latency_us for line in told if line.correct and line.latency_us]
        now = min(times, default=math.inf)
        if best is None:
            best = now if times else None
        elif now < best * (1 - GAIN):
            best, waited = now, 0
        elif told:
            waited += 1
            best = min(best, now)
    return waited


def ablation(line: Line, out: tuple[str, ...]) -> Slot:
    """Return a slot that takes features out of a kernel: what does not help makes room for what would."""
    why = f"take {', '.join(out)} out of {line.name}: does it help at all?"
    return Slot(
        (line.sha,) if line.sha else (), (), why, f"{line.name} without {', '.join(out)}", without=out
    )


def beginning(view: RunView, count: int) -> list[Slot]:
    """Return slots of a round before which nothing was judged: what to begin with is left to the writer."""
    start = (view.baseline.sha,) if view.baseline.sha else ()
    return [Slot(start, (), "nothing is judged yet: begin at the task's own kernel", "baseline")] * count


def repair(line: Line) -> Slot:
    """Return a slot that tries the intent of a failed attempt again."""
    why = f"{line.name} came as far as {line.verdict}: repair it, and keep what it was to try"
    return Slot((line.sha,) if line.sha else (), line.features, why, f"repair {line.name}", keep=True)
