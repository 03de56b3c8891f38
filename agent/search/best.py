"""The best kernel of a run: kept at every moment, and judged once more before it is announced."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace

from agent.candidates import Trial
from agent.events import CandidateJudged
from agent.search.deps import Deps
from sandbox.verdict import Verdict
from tools.reports import CheckReport
from tools.toolbox import CheckOrder

_TUNE = re.compile(r"^(?P<head>\s*//@\s*tune\s+(?P<name>\w+)\s*=\s*)(?P<value>-?\w+)", re.MULTILINE)


def settled(kernel: str, tune: Mapping[str, int]) -> str:
    """Return a kernel file whose tunables default to these values, so that it stands for itself."""

    def settle(match: re.Match[str]) -> str:
        return f"{match['head']}{tune.get(match['name'], match['value'])}"

    return _TUNE.sub(settle, kernel)


def offer(deps: Deps, trial: Trial) -> bool:
    """Keep a candidate as the best one where it is; return whether it is."""
    ranked = deps.store.candidates.ranked(deps.run)
    if not ranked or ranked[0].place != trial.place:
        return False
    _keep(deps, trial)
    return True


async def confirm(deps: Deps) -> None:
    """Judge the best candidate on fresh inputs, at the benchmark shapes, and by tools that look for hazards.

    Where it fails, or cannot be judged, the next best one: what is announced has passed twice.
    """
    for trial in deps.store.candidates.ranked(deps.run):
        kernel = settled(deps.parent(trial).kernel, trial.tune)
        order = CheckOrder(deps.task, kernel, seed=secrets.randbits(31), thorough=True)
        report = await deps.interruption.guard(deps.toolbox.do(order))
        if report.verdict is Verdict.PASS:
            _keep(deps, _confirmed(deps, trial, report))
            return
        _demote(deps, trial, report)
    deps.store.candidates.clear_best(deps.run)
    deps.store.kernels.drop_best(deps.run)


def _confirmed(deps: Deps, trial: Trial, report: CheckReport) -> Trial:
    """Store with a candidate what its last check says of the benchmark shapes."""
    if trial.report is None:
        return trial
    known = replace(trial.report, bench=report.bench, hazards=report.hazards, not_judged=report.not_judged)
    told = trial.model_copy(update={"report": known})
    deps.store.candidates.judge(deps.run, told)
    return told


def _became(verdict: Verdict) -> str:
    return "could not be judged" if verdict is Verdict.UNDECIDED else "failed when judged"


def _keep(deps: Deps, trial: Trial) -> None:
    kernel = settled(deps.parent(trial).kernel, trial.tune)
    sha = deps.store.kernels.keep(deps.run, kernel)
    deps.store.kernels.write_best(deps.run, kernel)
    deps.store.candidates.set_best(deps.run, trial, sha)


def _demote(deps: Deps, trial: Trial, report: CheckReport) -> None:
    submission = deps.store.candidates.submission(deps.run, trial.place)
    assert submission is not None, "a judged candidate was submitted"
    said = f"passed, then {_became(report.verdict)} once more: {report.message}"
    failed = submission.judged(report.verdict, said, provenance=trial.provenance)
    deps.store.candidates.judge(deps.run, failed)
    deps.say(CandidateJudged.of(deps.run, failed))
