"""The evaluation: the tools' judgement on one candidate."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agent.events import CandidateJudged, StageFinished
from agent.search.best import offer
from agent.search.deps import Deps
from agent.search.duplicates import original_of, repeated
from agent.search.state import EvaluateTask, EvaluateUpdate, JudgedItem
from agent.store.records import Draft, Judgement
from sandbox.errors import WorkerError
from sandbox.verdict import Verdict
from tools.reports import CheckReport
from tools.toolbox import CheckOrder

NO_KERNEL = (
    "the reply holds no kernel file: exactly one fenced ```cuda block was expected, with `//@ launch`"
    " directives and the `__global__` functions that they launch"
)


async def evaluate(state: EvaluateTask, runtime: Runtime[Deps]) -> EvaluateUpdate:
    """Judge one candidate, unless a resumed run has its judgement already."""
    deps = runtime.context
    draft = deps.store.candidates.draft(deps.run, state["round"], state["candidate"])
    assert draft is not None, "the coder stores every draft before it is sent on"
    if deps.store.candidates.trial(deps.run, draft) is None:
        judgement = await _judge(deps, draft)
        if judgement is None:
            return EvaluateUpdate(judged=[])
        deps.store.candidates.judge(deps.run, draft, judgement)
    return EvaluateUpdate(judged=[announce(deps, draft)])


def settle_duplicates(deps: Deps, number: int) -> list[JudgedItem]:
    """Judge the candidates of a round that waited for another one of the same round."""
    items: list[JudgedItem] = []
    for draft in deps.store.candidates.drafts(deps.run, number):
        if deps.store.candidates.trial(deps.run, draft) is None:
            original = deps.store.candidates.waiting_for(deps.run, draft)
            judgement = None if original is None else repeated(deps, original)
            assert judgement is not None, "only duplicates of judged candidates are left unjudged"
            deps.store.candidates.judge(deps.run, draft, judgement)
            items.append(announce(deps, draft))
    return items


def announce(deps: Deps, draft: Draft) -> JudgedItem:
    """Say what became of a candidate, and make it the best one where it is."""
    trial = deps.store.candidates.trial(deps.run, draft)
    assert trial is not None, "only judged candidates are announced"
    record = trial.record
    deps.say(
        CandidateJudged(
            run=deps.run,
            round=record.round,
            candidate=record.candidate,
            features=record.features,
            verdict=record.verdict,
            message=record.message,
            latency_us=record.latency_us,
            provenance=record.provenance,
            speedup=record.speedup,
            is_best=offer(deps, trial),
        )
    )
    return JudgedItem(round=record.round, candidate=record.candidate, verdict=record.verdict.value)


def judgement_of(report: CheckReport, baseline_us: float | None) -> Judgement:
    """Return the short form of a report."""
    profile = report.profile
    latency = None if profile is None or report.verdict is not Verdict.PASS else profile.latency_us
    speedup = None if profile is None or latency is None else profile.speedup
    if speedup is None and latency and baseline_us:
        speedup = baseline_us / latency
    return Judgement(
        verdict=report.verdict,
        message=report.message,
        latency_us=latency,
        provenance=report.provenance if profile is None else profile.provenance,
        speedup=speedup,
        tune=report.tune,
        report=report,
    )


async def _judge(deps: Deps, draft: Draft) -> Judgement | None:
    if draft.sha is None:
        return Judgement(Verdict.REJECTED, NO_KERNEL)
    kernel = deps.store.kernels.read(deps.run, draft.sha)
    try:
        original = await original_of(deps, draft, kernel)
        if original is not None:
            deps.store.candidates.wait_for(deps.run, draft, original)
            return repeated(deps, original)
        order = CheckOrder(deps.task, kernel, sweep=True, benches=False)
        report = await deps.interruption.guard(deps.toolbox.do(order))
    except WorkerError as error:
        return Judgement(Verdict.UNDECIDED, f"the tools gave no answer: {error}", lost=True)
    for stage in report.stages:
        deps.say(
            StageFinished(
                run=deps.run,
                round=draft.round,
                candidate=draft.candidate,
                stage=stage.name,
                message=stage.message,
            )
        )
    baseline = deps.baseline.profile
    return judgement_of(report, None if baseline is None else baseline.latency_us)
