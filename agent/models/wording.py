"""Turns contexts into the requests that chat models read; what stays the same during a run comes first."""

from __future__ import annotations

from collections.abc import Sequence

from agent.candidates import Parent, Trial
from agent.models.feedback import baseline_line, feedback, short, trial_line
from agent.proposer import Critique, CritiqueContext, PlanContext, WriteContext
from prompts import Feature, features, render_request
from tools.tasks.task import Case, Task

_HISTORY = 60


def plan_request(context: PlanContext) -> str:
    """Return what the planner is asked."""
    return render_request(
        "planner",
        {
            "task": task_text(context.task),
            "features": _library(),
            "round": str(context.round),
            "device": context.device,
            "candidates": str(context.candidates),
            "baseline": baseline_line(context.baseline),
            "parents": "\n\n".join(_parent(parent) for parent in context.parents) or "None yet.",
            "history": _history(context.history),
            "critique": _critique(context.critique),
        },
    )


def write_request(context: WriteContext) -> str:
    """Return what the coder is asked."""
    known = {feature.name: feature for feature in features()}
    chosen = [known[name] for name in context.plan.features if name in known]
    parent = context.parent
    return render_request(
        "coder",
        {
            "task": task_text(context.task),
            "device": context.device,
            "baseline": baseline_line(context.baseline),
            "history": _history(context.history),
            "critique": _critique(context.critique),
            "features": ", ".join(context.plan.features) or "your choice",
            "why": context.plan.why or "-",
            "pages": "\n".join(feature.text for feature in chosen),
            "parent": "None: start afresh." if parent is None else _fenced("cuda", parent.kernel),
            "feedback": context.feedback or "Nothing yet.",
        },
    )


def critique_request(context: CritiqueContext) -> str:
    """Return what the critic is asked."""
    earlier = context.history[: len(context.history) - len(context.trials)]
    return render_request(
        "critic",
        {
            "task": task_text(context.task),
            "features": _library(),
            "round": str(context.round),
            "device": context.device,
            "baseline": baseline_line(context.baseline),
            "best": "None yet." if context.best is None else _parent(context.best),
            "trials": "\n\n".join(_trial(trial) for trial in context.trials),
            "history": _history(earlier),
        },
    )


def task_text(task: Task) -> str:
    """Return a task as models read it; the same text for the whole of a run."""
    arguments = "\n".join(
        f"- `{argument.name}`: {argument.role} {argument.dtype}"
        + (f"[{', '.join(argument.shape)}]" if argument.shape else "")
        for argument in task.arguments
    )
    determinism = (
        "Two runs must agree bit for bit." if task.deterministic else "Runs may differ in rounding or order."
    )
    return "\n".join(
        (
            f"# Task: {task.name}\n\n{task.summary}\n",
            f"Dims: {', '.join(task.dims)}. {determinism}\n",
            f"Arguments:\n{arguments}\n",
            f"Tested at: {_cases(task.tests)}.",
            f"Timed at: {_cases(task.benches)}.",
            f"Least work: {task.flops} operations, {task.bytes} bytes.\n",
            f"The reference:\n\n{_fenced('python', task.reference)}\n",
            f"The baseline, a correct kernel file:\n\n{_fenced('cuda', task.baseline)}",
        )
    )


def _cases(cases: Sequence[Case]) -> str:
    texts = [", ".join(f"{name} = {size}" for name, size in case.dims.items()) for case in cases]
    return "; ".join(texts) or "none"


def _library() -> str:
    return "\n".join(_feature_line(feature) for feature in features())


def _feature_line(feature: Feature) -> str:
    return f"- `{feature.name}` ({', '.join(feature.applies_to)}): {feature.summary}"


def _parent(parent: Parent) -> str:
    said = "the task's baseline" if parent.trial is None else feedback(parent.trial, parent.kernel)
    return f"### {short(parent.sha)}\n\n{_fenced('cuda', parent.kernel)}\n\n{said}"


def _trial(trial: Trial) -> str:
    return f"### {trial_line(trial)}\n\n{feedback(trial, None)}"


def _history(trials: Sequence[Trial]) -> str:
    lines = [f"- {trial_line(trial)}" for trial in trials[-_HISTORY:]]
    left = len(trials) - len(lines)
    return "\n".join(([f"({left} earlier ones left out)"] if left else []) + lines) or "Nothing yet."


def _critique(critique: Critique | None) -> str:
    return "Nothing yet." if critique is None else critique.text


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
