"""The coder: one kernel file for one plan."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from agent.events import StageFinished
from agent.models.base import Parent, ProposalError, WriteContext
from agent.models.feedback import baseline_feedback, feedback
from agent.models.reply import kernel_of
from agent.search.deps import Deps
from agent.search.parents import baseline_parent, parents
from agent.search.state import CoderTask, EvaluateTask, critique_of, plan_of
from agent.store.records import Draft, Judgement
from sandbox.verdict import Verdict


async def coder(state: CoderTask, runtime: Runtime[Deps]) -> Command[Literal["evaluate"]]:
    """Write one candidate, unless a resumed run has it already, and send it on to be evaluated."""
    deps = runtime.context
    number, candidate = state["round"], state["candidate"]
    if deps.store.candidates.draft(deps.run, number, candidate) is None:
        said = await _write(deps, state)
        deps.say(StageFinished(run=deps.run, round=number, candidate=candidate, stage="coder", message=said))
    return Command(goto=Send("evaluate", EvaluateTask(round=number, candidate=candidate)))


async def _write(deps: Deps, task: CoderTask) -> str:
    """Store the draft; return what to say of it."""
    try:
        reply = await deps.interruption.guard(deps.proposer.write(_context(deps, task)))
    except ProposalError as error:
        draft = _draft(task, None)
        deps.store.candidates.add(deps.run, draft)
        deps.store.candidates.judge(deps.run, draft, Judgement(Verdict.REJECTED, str(error), lost=True))
        return str(error)
    kernel = kernel_of(reply)
    sha = None if kernel is None else deps.store.kernels.keep(deps.run, kernel)
    deps.store.candidates.add(deps.run, _draft(task, sha))
    return "the reply holds no kernel file" if kernel is None else f"{len(kernel.splitlines())} lines"


def _draft(task: CoderTask, sha: str | None) -> Draft:
    plan = plan_of(task["plan"])
    return Draft(task["round"], task["candidate"], plan.parent, plan.features, plan.why, sha)


def _context(deps: Deps, task: CoderTask) -> WriteContext:
    plan, last = plan_of(task["plan"]), task["round"] - 1
    offered = (*parents(deps, through=last), baseline_parent(deps))
    parent = next((parent for parent in offered if parent.sha == plan.parent), None)
    return WriteContext(
        task=deps.task,
        device=deps.toolbox.device,
        round=task["round"],
        candidate=task["candidate"],
        plan=plan,
        parent=parent,
        feedback=_feedback(deps, parent),
        baseline=deps.baseline,
        history=tuple(deps.store.candidates.trials(deps.run, through=last)),
        critique=critique_of(task["critique"]),
        seed=deps.seed_of("write", task["round"], task["candidate"]),
    )


def _feedback(deps: Deps, parent: Parent | None) -> str:
    if parent is None:
        return ""
    return baseline_feedback(deps.baseline) if parent.trial is None else feedback(parent.trial, parent.kernel)
