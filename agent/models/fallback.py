"""Plans and critiques for when a model gives none that can be read: deterministic, from the library."""

from __future__ import annotations

from agent.candidates import CandidatePlan
from agent.models.feedback import timing
from agent.proposer import Critique, CritiqueContext, PlanContext
from prompts import features
from sandbox.verdict import Verdict, worst


def default_plans(context: PlanContext) -> list[CandidatePlan]:
    """Return plans with the critic's hints first, then the library in its order; repairs keep features."""
    library = [feature.name for feature in features()]
    hints = (
        [] if context.critique is None else [name for name in context.critique.features if name in library]
    )
    start = (context.round - 1) * context.candidates % len(library)
    order = list(dict.fromkeys([*hints, *library[start:], *library[:start]]))
    return [_plan(context, order, index) for index in range(context.candidates)]


def _plan(context: PlanContext, order: list[str], index: int) -> CandidatePlan:
    feature = order[index % len(order)]
    if not context.parents:
        return CandidatePlan(None, (feature,), "a fresh start with the next feature of the library")
    parent = context.parents[index % len(context.parents)]
    sound = {Verdict.PASS, Verdict.UNDECIDED}
    failed = parent.trial is not None and parent.trial.verdict not in sound
    if failed and parent.trial is not None and parent.trial.features:
        return CandidatePlan(parent.sha, tuple(parent.trial.features), "repair the failed kernel")
    return CandidatePlan(parent.sha, (feature,), "the next feature of the library")


def default_critique(context: CritiqueContext) -> Critique:
    """Return what the reports say by themselves."""
    if context.best is not None and context.best.trial is not None:
        trial = context.best.trial
        profile = None if trial.report is None else trial.report.profile
        if profile is not None and profile.latency_us is not None:
            bound = profile.bottleneck or "an unknown limit"
            latency = timing(profile.latency_us, profile.provenance)
            return Critique(f"The best kernel takes {latency} and is bound by {bound}.")
    verdict = worst(trial.verdict for trial in context.trials)
    reason = next((t.message for t in context.trials if t.verdict is verdict), "")
    return Critique(f"Nothing is correct yet; first {verdict}: {reason}")
