"""Reads reports as a critic does: one bottleneck of the best kernel, or one root cause of failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent.candidates import Parent, Trial
from agent.composer.space import Space
from agent.proposer import Critique, CritiqueContext
from prompts import features
from sandbox.device import Bottleneck, LaunchProfile
from sandbox.verdict import Verdict

_MOST_HINTS = 3


def criticise(context: CritiqueContext, space: Space) -> Critique:
    """Name one thing that holds the search back."""
    if context.best is not None and (launch := _slowest(context.best)) is not None:
        return _of_best(context.best, launch, space)
    told = {Verdict.PASS, Verdict.UNDECIDED}
    failed = [trial for trial in context.trials if trial.verdict not in told]
    if failed and context.best is None:
        return _of_failures(failed, space)
    return Critique("The best kernel has no profile to read; go on with what is untried.")


def _slowest(best: Parent) -> LaunchProfile | None:
    report = best.trial.report if best.trial else None
    if report is None or report.profile is None:
        return None
    launches = [launch for shape in report.profile.shapes for launch in shape.launches]
    return max(launches, key=lambda launch: launch.latency_us, default=None)


def _of_best(best: Parent, launch: LaunchProfile, space: Space) -> Critique:
    used = space.features_in(best) or ()
    hints = tuple(name for name in _remedies(launch.bottleneck, space) if name not in used)[:_MOST_HINTS]
    advice = f"try {', '.join(hints)}" if hints else "its remedies are all in use; tune what is there"
    text = (
        f"`{launch.kernel}` of the best kernel is bound by {launch.bottleneck}: {launch.latency_us:.2f} us "
        f"({launch.provenance}), {launch.roofline_fraction:.0%} of the roofline; {advice}."
    )
    return Critique(text, hints)


def _remedies(bottleneck: Bottleneck, space: Space) -> list[str]:
    """Return the features whose pages say that they help what is bound so, those that gain most first."""
    pages = [page for page in features() if page.name in space.features]
    helping = [page for page in pages if bottleneck in page.bottlenecks]
    return [page.name for page in sorted(helping or pages, key=lambda page: -page.gain)]


def _of_failures(failed: Sequence[Trial], space: Space) -> Critique:
    (verdict, count) = Counter(trial.verdict for trial in failed).most_common(1)[0]
    example = next(trial for trial in failed if trial.verdict is verdict)
    blamed = {name for trial in failed for name in trial.features}
    hints = tuple(name for name in space.features if name not in blamed)[:_MOST_HINTS]
    text = f"{count} of {len(failed)} failed candidates end as {verdict}: {example.message}"
    return Critique(text, hints)
