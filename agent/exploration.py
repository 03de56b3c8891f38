"""How widely a search looked, and how well: figures for every report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from agent.candidates import Line
from sandbox.verdict import Verdict

_BEFORE_COMPILING = {Verdict.REJECTED, Verdict.COMPILE_ERROR}
_UNTOLD = {Verdict.UNSUPPORTED, Verdict.UNDECIDED}


class Exploration(BaseModel):
    """Of the candidates that a search judged, those left out that no machine could judge; shares are from 0 to 1."""

    model_config = ConfigDict(frozen=True)
    judged: int
    distinct: int = Field(description="Different kernels among them.")
    compiling: float = Field(description="The share that compiled.")
    correct: float = Field(description="The share that passed.")
    improving: float = Field(description="The share that was faster than the kernel it built on.")
    entropy: float = Field(description="Of the features tried, bits: 0 where it was always the same one.")


def exploration(lines: Sequence[Line], baseline: Line | None) -> Exploration:
    """Return the figures of a run.

    Args:
        lines: Its judged candidates.
        baseline: What candidates without a known parent are held against; None before it was judged.
    """
    told = [line for line in lines if not line.lost and line.verdict not in _UNTOLD]
    count = max(len(told), 1)
    latencies = {line.sha: line.latency_us for line in (*reversed(told), *([baseline] if baseline else []))}
    start = None if baseline is None else baseline.latency_us
    return Exploration(
        judged=len(told),
        distinct=len({line.sha for line in told if line.sha and not line.duplicate}),
        compiling=sum(line.verdict not in _BEFORE_COMPILING for line in told) / count,
        correct=sum(line.correct for line in told) / count,
        improving=sum(_improves(line, [latencies.get(sha) for sha in line.parents], start) for line in told)
        / count,
        entropy=_entropy(name for line in told for name in line.features),
    )


def exploration_text(found: Exploration) -> str:
    """Return the figures in a line."""
    return (
        f"{found.distinct} different kernels of {found.judged}: {found.compiling:.0%} compiled, {found.correct:.0%}"
        f" correct, {found.improving:.0%} faster than what they built on; features {found.entropy:.1f} bits"
    )


def _improves(line: Line, parents: Sequence[float | None], start: float | None) -> bool:
    known = [latency for latency in parents if latency is not None]
    before = min(known) if known else start
    return (
        line.correct and not line.duplicate and before is not None and (line.latency_us or math.inf) < before
    )


def _entropy(names: Iterable[str]) -> float:
    counts = Counter(names)
    total = counts.total()
    return sum(-count / total * math.log2(count / total) for count in counts.values())
