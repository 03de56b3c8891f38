"""The evaluation: the tools' judgement on one candidate."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agent.candidates import Submission, Trial
from agent.events import CandidateJudged, StageFinished
from agent.models.reply import NO_KERNEL
from agent.search.best import offer
from agent.search.deps import Deps
from agent.search.duplicates import original_of, repeated
from agent.search.state import EvaluateTask
from sandbox.errors import WorkerError
from sandbox.verdict import Verdict
from tools.toolbox import CheckOrder

FRESH_SIZES = 4
"""Sizes beside the task's own cases that a candidate is judged at; the winner has all of a check's, drawn anew."""


async def evaluate(state: EvaluateTask, runtime: Runtime[Deps]) -> None:
    """Judge one candidate, unless a resumed run has its judgement already."""
    deps, place = runtime.context, (state["round"], state["candidate"])
    submission = deps.store.candidates.submission(deps.run, place)
    assert submission is not None, "the coder stores every submission before it is sent on"
    trial = deps.store.candidates.trial(deps.run, place)
    if trial is None:
        with deps.rounds.step("judge", *place):
            trial = await _judge(deps, submission)
        if trial is None:
            return
        deps.store.candidates.judge(deps.run, trial)
    announce(deps, trial)


def settle_duplicates(deps: Deps, number: int) -> None:
    """Judge the candidates of a round that waited for another one of the same round."""
    for submission in deps.store.candidates.unjudged(deps.run, number):
        original = deps.store.candidates.waiting_for(deps.run, submission)
        trial = None if original is None else repeated(deps, submission, original)
        assert trial is not None, "only duplicates of judged candidates are left unjudged"
        deps.store.candidates.judge(deps.run, trial)
        announce(deps, trial)


def announce(deps: Deps, trial: Trial) -> None:
    """Say what became of a candidate, and make it the best one where it is."""
    deps.say(CandidateJudged.of(deps.run, trial, is_best=offer(deps, trial)))


async def _judge(deps: Deps, submission: Submission) -> Trial | None:
    """Return what became of a submission; None where it waits for another one that is the same kernel."""
    if submission.sha is None:
        return submission.judged(Verdict.REJECTED, NO_KERNEL)
    kernel = deps.store.kernels.read(deps.run, submission.sha)
    try:
        original = await original_of(deps, submission, kernel)
        if original is not None:
            deps.store.candidates.wait_for(deps.run, submission, original)
            return repeated(deps, submission, original)
        order = CheckOrder(deps.task, kernel, sweep=True, benches=False, fresh_sizes=FRESH_SIZES)
        report = await deps.interruption.guard(deps.toolbox.do(order))
    except WorkerError as error:
        return submission.judged(Verdict.UNDECIDED, f"the tools gave no answer: {error}", lost=True)
    for stage in report.stages:
        deps.say(
            StageFinished(
                run=deps.run,
                round=submission.round,
                candidate=submission.candidate,
                stage=stage.name,
                message=stage.message,
            )
        )
    baseline = deps.baseline.profile
    return submission.checked(report, None if baseline is None else baseline.latency_us)
