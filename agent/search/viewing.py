"""A run as its strategy sees it, and the kernels that a round builds on."""

from __future__ import annotations

from collections.abc import Iterable

from agent.candidates import Parent, Slot
from agent.proposer import Critique, LimitedProposer
from agent.search.deps import Deps
from agent.store.files import kernel_sha
from agent.strategies.base import FURTHEST_FIRST, RunView
from agent.strategies.credit import beliefs
from agent.strategies.traits import kind
from prompts import Feature


def view_of(deps: Deps, number: int, critique: Critique | None) -> RunView:
    """Return what a strategy sees before a round of that number."""
    known = usable(deps)
    (baseline,) = deps.store.candidates.lines(deps.run, first=0, through=0)
    request = deps.request
    return RunView(
        round=number,
        depth=request.depth,
        candidates=request.candidates,
        baseline=baseline,
        lines=deps.lines(through=number - 1),
        features=known,
        beliefs=beliefs(known, deps.credit, kind(deps.task), _architecture(deps)),
        hints=() if critique is None else critique.features,
        patience=request.patience,
        seed=deps.seed_of("plan", number),
        settle=deps.proposer.space(deps.task).settle if isinstance(deps.proposer, LimitedProposer) else None,
    )


def parent(deps: Deps, sha: str, *, through: int) -> Parent | None:
    """Return a kernel of the run to build on, a candidate's or the baseline; None where it is neither."""
    if sha == kernel_sha(deps.task.baseline):
        return Parent(sha, deps.task.baseline)
    written = deps.store.candidates.first_with(deps.run, sha)
    if written is None or written.round > through:
        return None
    trial = deps.store.candidates.trial(deps.run, written.place)
    return None if trial is None else deps.parent(trial)


def offered(deps: Deps, slots: Iterable[Slot], *, through: int) -> tuple[Parent, ...]:
    """Return the kernels that slots build on, each once: correct ones by latency, then those that came furthest."""
    shas = dict.fromkeys(sha for slot in slots for sha in slot.parents)
    found = [one for sha in shas if (one := parent(deps, sha, through=through)) is not None]
    return tuple(sorted(found, key=_rank))


def usable(deps: Deps) -> tuple[Feature, ...]:
    """Return the features that this run's proposer can try on this task and device."""
    library, architecture = deps.library, _architecture(deps)
    if isinstance(deps.proposer, LimitedProposer):
        known = set(deps.proposer.features(deps.task))
        return tuple(one for one in library if one.name in known and one.runs_on(architecture))
    of = kind(deps.task)
    return tuple(feature for feature in library if feature.fits(of, architecture)) or library


def _rank(one: Parent) -> tuple[int, float]:
    if one.trial is None:
        return len(FURTHEST_FIRST), 0.0
    return FURTHEST_FIRST.index(one.trial.verdict), one.trial.latency_us or 0.0


def _architecture(deps: Deps) -> str:
    compiled = deps.baseline.compile
    return "" if compiled is None else compiled.architecture
