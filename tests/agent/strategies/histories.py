"""Histories for strategies: what a run looks like, written in a line a candidate."""

from __future__ import annotations

import math

from agent.candidates import Line
from agent.niches import Niche
from agent.strategies.base import RunView
from agent.strategies.credit import beliefs
from prompts import Feature, features
from sandbox.device import Bottleneck
from sandbox.verdict import Verdict

BASE = Line(0, 0, "base", (), (), (), Verdict.PASS, 100.0)
PAGES = tuple(page for page in features() if "row_reduction" in page.applies_to)


def niche(
    bottleneck: Bottleneck = Bottleneck.DRAM, memory: str = "narrow", promise_us: float = 100.0
) -> Niche:
    return Niche(bottleneck, memory, "one launch, thin", 0.5, promise_us)


def right(round_: int, candidate: int, us: float, *tried: str, on: str = "base", **more: object) -> Line:
    """A correct candidate; its kernel is named after its place."""
    return _line(round_, candidate, Verdict.PASS, us, tried, on, more)


def wrong(
    round_: int, candidate: int, verdict: Verdict, *tried: str, on: str = "base", **more: object
) -> Line:
    """A failed candidate with a kernel."""
    return _line(round_, candidate, verdict, None, tried, on, more)


def _line(
    round_: int,
    candidate: int,
    verdict: Verdict,
    us: float | None,
    tried: tuple[str, ...],
    on: str,
    more: dict[str, object],
) -> Line:
    known = {
        "sha": f"{round_}.{candidate}",
        "used": tried,
        "niche": None if us is None else niche(promise_us=us),
    }
    parents = tuple(on.split("+")) if on else ()
    return Line(
        round=round_, candidate=candidate, parents=parents, features=tried, verdict=verdict, latency_us=us,
        **{**known, **more},
    )  # fmt: skip


def view(*lines: Line, pages: tuple[Feature, ...] = PAGES, **more: object) -> RunView:
    """The view before the round after the last of these."""
    last = max((line.round for line in lines), default=0)
    known = {
        "round": last + 1, "depth": 8, "candidates": 4, "baseline": BASE, "lines": lines, "features": pages,
        "beliefs": beliefs(pages, (), "row_reduction", "sm_90"), "seed": 3,
    }  # fmt: skip
    return RunView(**{**known, **more})


def log(ratio: float) -> float:
    return math.log(ratio)
