"""What a search that goes on has left: time, money, tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.budget import SearchBudget
from agent.store import Store

_MINUTES_FROM_S = 100


@dataclass(frozen=True)
class SpentSoFar:
    """What a search may spend and has spent.

    Attributes:
        worked_s: Seconds that it had worked before this process went on with it.
        tokens: Of chat models, calls under way at their worst.
        usd: US dollars for those; None where no price is known, or no model was asked.
    """

    budget: SearchBudget
    worked_s: float = 0.0
    tokens: int = 0
    usd: float | None = None


SpentOf = Callable[[str], SpentSoFar]


def standing_in(opened: Callable[[], Store]) -> SpentOf:
    """Return what says how a run stands; the store is opened once, when first asked."""
    stores: list[Store] = []
    worked: dict[str, float] = {}

    def standing(run: str) -> SpentSoFar:
        if not stores:
            stores.append(opened())
        stored = stores[0].get_run(run)
        cost = stores[0].ledger(run, stored.request.budget).cost()
        before = worked.setdefault(run, stored.seconds)
        return SpentSoFar(stored.request.budget, before, cost.tokens, cost.usd)

    return standing


def remaining(standing: SpentSoFar, *, judged: int, total: int, seconds: float) -> str:
    """Return what is left in words; nothing where nothing is known of it.

    Args:
        standing: What may be spent and was.
        judged: Candidates that this process judged.
        total: Candidates that it may judge.
        seconds: How long it has worked.
    """
    limits = standing.budget
    known = [seconds / judged * (total - judged)] if judged else []
    if limits.max_seconds is not None:
        known.append(max(0.0, limits.max_seconds - standing.worked_s - seconds))
    parts = [f"at most about {_duration(min(known))}"] if known else []
    if limits.max_usd is not None:
        left = max(0.0, limits.max_usd - (standing.usd or 0.0))
        parts.append(f"{left:.4f} of {limits.max_usd:g} US dollars")
    if limits.max_tokens is not None:
        parts.append(f"{max(0, limits.max_tokens - standing.tokens):,} of {limits.max_tokens:,} tokens")
    left_over = f"left: {', '.join(parts)}" if parts else ""
    spent = "" if standing.usd is None else f"spent: {standing.usd:.4f} US dollars"
    return "; ".join(one for one in (left_over, spent) if one)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTES_FROM_S else f"{seconds / 60:.0f} min"
