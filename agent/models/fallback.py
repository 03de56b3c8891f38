"""A critique for when a model gives none that can be read: what the reports say by themselves."""

from __future__ import annotations

from agent.models.feedback import timing
from agent.proposer import Critique, CritiqueContext
from sandbox.verdict import Verdict, worst


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
    if verdict is Verdict.PASS:
        return Critique("Nothing but copies of the baseline came so far.")
    reason = next((t.message for t in context.trials if t.verdict is verdict), "")
    return Critique(f"Nothing is correct yet; first {verdict}: {reason}")
