"""The best kernel of a run: kept at every moment, and judged once more before it is announced."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.candidates import Trial
from agent.events import CandidateJudged
from agent.search.deps import Deps
from sandbox.verdict import Provenance, Verdict
from tools.awaiting import both
from tools.reports import CheckReport, ProfileReport
from tools.stages.recounting import MORE
from tools.toolbox import CheckOrder

_TUNE = re.compile(r"^(?P<head>\s*//@\s*tune\s+(?P<name>\w+)\s*=\s*)(?P<value>-?\w+)", re.MULTILINE)


def settled(kernel: str, tune: Mapping[str, int]) -> str:
    """Return a kernel file whose tunables default to these values, so that it stands for itself."""

    def settle(match: re.Match[str]) -> str:
        return f"{match['head']}{tune.get(match['name'], match['value'])}"

    return _TUNE.sub(settle, kernel)


def offer(deps: Deps, trial: Trial) -> bool:
    """Make the run's best kernel what it is now that a candidate was judged; return whether it is this one."""
    first, known = deps.store.candidates.first(deps.run), deps.store.candidates.best(deps.run)
    if first is None:
        return False
    if known is None or known[0].place != first.place:
        deps.store.candidates.set_best(deps.run, first, _write(deps, first))
        if first.place != trial.place:
            deps.say(CandidateJudged.of(deps.run, first, is_best=True))
    return first.place == trial.place


async def confirm(deps: Deps) -> None:
    """Judge the best candidate on fresh inputs, at the benchmark shapes, and by tools that look for hazards.

    Where it fails, or cannot be judged, the next best one: what is announced has passed twice. Where its blocks
    turn out to do more than a sample of them said, it is ranked anew by that.
    """
    while ranked := deps.store.candidates.ranked(deps.run):
        trial = ranked[0]
        kernel = settled(deps.parent(trial).kernel, trial.tune)
        report = await deps.interruption.guard(_once_more(deps, kernel))
        if report.verdict is Verdict.PASS:
            told = _confirmed(deps, trial, report)
            offer(deps, told)
            first = deps.store.candidates.first(deps.run)
            if first is None or first.place == told.place:
                deps.store.candidates.set_best(deps.run, told, _write(deps, told))
                return
            continue
        _demote(deps, trial, report, ranked[1:])


async def _once_more(deps: Deps, kernel: str) -> CheckReport:
    """Return the last check, and in it what the kernel does at sizes that nobody made it for."""
    order = CheckOrder(deps.task, kernel, seed=secrets.randbits(31), thorough=True)
    report, final = await both(deps.toolbox.do(order), _at_finals(deps, kernel))
    return _with_finals(deps, report, final) if report.verdict is Verdict.PASS else report


async def _at_finals(deps: Deps, kernel: str) -> CheckReport | None:
    """Judge a kernel at sizes that nobody made it for; None where there are none, or none that can be asked for."""
    elsewhere = deps.request.tools is not None  # which takes tasks as their folders say
    if elsewhere or not deps.task.finals:
        return None
    order = CheckOrder(deps.task.at_finals, kernel, seed=secrets.randbits(31), fresh_sizes=1)
    return await deps.toolbox.do(order)


def _with_finals(deps: Deps, confirmed: CheckReport, final: CheckReport | None) -> CheckReport:
    """Return the last check with what the kernel does at the task's final sizes; a failure there is one."""
    if final is None:
        unseen = tuple(dict(case.dims) for case in deps.task.finals)
        return replace(confirmed, not_judged=(*confirmed.not_judged, *unseen))
    if final.verdict is not Verdict.PASS:
        return replace(final, message=f"at the task's final sizes: {final.message}")
    return replace(confirmed, final=final.profile, not_judged=(*confirmed.not_judged, *final.not_judged))


def _confirmed(deps: Deps, trial: Trial, report: CheckReport) -> Trial:
    """Store with a candidate what its last check says of the benchmark shapes."""
    if trial.report is None:
        return trial
    known = replace(
        trial.report,
        bench=report.bench,
        hazards=report.hazards,
        not_judged=report.not_judged,
        final=report.final,
        accepted=None if report.profile is None else report.profile.against_baseline,
    )
    found: dict[str, object] = {"report": known}
    if report.profile is not None and _falls_back(trial, report.profile):
        found["report"] = replace(known, profile=report.profile, message=report.message)
        found |= {"latency_us": report.profile.latency_us, "speedup": report.profile.speedup}
        found["message"] = report.message
    told = trial.model_copy(update=found)
    deps.store.candidates.judge(deps.run, told)
    return told


def _falls_back(trial: Trial, anew: ProfileReport) -> bool:
    """Whether the last check found more work than the estimate was made from that a candidate was ranked by."""
    if anew.provenance is not Provenance.ESTIMATED or not trial.latency_us or not anew.latency_us:
        return False
    return anew.latency_us > MORE * trial.latency_us


def _became(verdict: Verdict) -> str:
    return "could not be judged" if verdict is Verdict.UNDECIDED else "failed when judged"


def _write(deps: Deps, trial: Trial) -> str:
    """Write the file of the best kernel; return its sha256."""
    kernel = settled(deps.parent(trial).kernel, trial.tune)
    sha = deps.store.kernels.keep(deps.run, kernel)
    deps.store.kernels.write_best(deps.run, kernel)
    return sha


def _demote(deps: Deps, trial: Trial, report: CheckReport, others: Sequence[Trial]) -> None:
    """Take a candidate's rank from it and from those that are the same kernel; the next best one moves up.

    The file changes first: a reader never finds a kernel in it that is known to be wrong.
    """
    submission = deps.store.candidates.submission(deps.run, trial.place)
    assert submission is not None, "a judged candidate was submitted"
    said = f"passed, then {_became(report.verdict)} once more: {report.message}"
    failed = submission.judged(report.verdict, said, provenance=trial.provenance)
    instead = others[0] if others else None
    if instead is None:
        deps.store.kernels.drop_best(deps.run)
        changed = deps.store.candidates.demote(deps.run, failed, None)
    else:
        changed = deps.store.candidates.demote(deps.run, failed, (instead, _write(deps, instead)))
    for one in changed:
        deps.say(CandidateJudged.of(deps.run, one))
    if instead is not None:
        deps.say(CandidateJudged.of(deps.run, instead, is_best=True))
