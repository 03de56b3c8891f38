"""The coder: one kernel file for one plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from agent.candidates import Parent, Submission
from agent.events import StageFinished
from agent.models.feedback import baseline_feedback, feedback
from agent.proposer import ProposalError, WriteContext, Written
from agent.search.deps import Deps
from agent.search.state import CRITIQUE, PLAN, CoderTask, EvaluateTask
from agent.search.viewing import parent, usable
from sandbox.verdict import Verdict


async def coder(state: CoderTask, runtime: Runtime[Deps]) -> Command[Literal["evaluate"]]:
    """Write one candidate, unless a resumed run has it already, and send it on to be evaluated."""
    deps, place = runtime.context, (state["round"], state["candidate"])
    if deps.store.candidates.submission(deps.run, place) is None:
        with deps.rounds.step("write", *place):
            said = await _write(deps, state)
        deps.say(StageFinished(run=deps.run, round=place[0], candidate=place[1], stage="coder", message=said))
    return Command(goto=Send("evaluate", EvaluateTask(round=place[0], candidate=place[1])))


async def _write(deps: Deps, task: CoderTask) -> str:
    """Store the submission; return what to say of it."""
    context = _context(deps, task)
    submission = Submission(context.round, context.candidate, context.plan, None)
    try:
        written = await deps.interruption.guard(deps.proposer.write(context))
    except ProposalError as error:
        return _without_kernel(deps, submission, str(error), lost=True)
    if written.kernel is None:
        why = written.lacking or "its writer gave no kernel file"
        return _without_kernel(deps, submission, why, lost=False)
    sha = deps.store.kernels.keep(deps.run, written.kernel)
    used = _used(deps, context, written)
    deps.store.candidates.add(deps.run, replace(submission, sha=sha, used=used))
    return f"{len(written.kernel.splitlines())} lines"


def _without_kernel(deps: Deps, submission: Submission, why: str, *, lost: bool) -> str:
    """Store a candidate that has no kernel together with its verdict."""
    deps.store.candidates.add(deps.run, submission)
    deps.store.candidates.judge(deps.run, submission.judged(Verdict.REJECTED, why, lost=lost))
    return why


def _used(deps: Deps, context: WriteContext, written: Written) -> tuple[str, ...]:
    """Return the features of a kernel: what its writer names, on top of what its parents use."""
    inherited = (
        name
        for one in (context.parent, context.other)
        if one is not None and one.trial is not None
        and (submission := deps.store.candidates.submission(deps.run, one.trial.place)) is not None
        for name in submission.used
        if name not in context.plan.without
    )  # fmt: skip
    return tuple(dict.fromkeys((*inherited, *written.features)))


def _context(deps: Deps, task: CoderTask) -> WriteContext:
    plan, last = PLAN.validate_python(task["plan"]), task["round"] - 1
    first, second = (
        None if sha is None else parent(deps, sha, through=last) for sha in (plan.parent, plan.other)
    )
    return WriteContext(
        task=deps.task,
        device=deps.toolbox.device,
        round=task["round"],
        candidate=task["candidate"],
        plan=plan,
        parent=first,
        feedback=_feedback(deps, first),
        baseline=deps.baseline,
        history=deps.history(through=last),
        critique=CRITIQUE.validate_python(task["critique"]),
        seed=deps.seed_of("write", task["round"], task["candidate"]),
        other=second,
        library=usable(deps),
        pages=tuple(page for page in deps.library if page.name in plan.features),
    )


def _feedback(deps: Deps, of: Parent | None) -> str:
    if of is None:
        return ""
    return baseline_feedback(deps.baseline) if of.trial is None else feedback(of.trial, of.kernel)
