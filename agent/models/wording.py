"""Turns contexts into the requests that chat models read; what stays the same during a run comes first.

Providers keep the start of a prompt that they have read before, at a tenth of its price: the facts, the task and the
library never change, the history only grows.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from agent.candidates import Parent, Slot, Trial
from agent.models.feedback import baseline_line, feedback, short, trial_line
from agent.models.shared import fenced, shared_pages, shared_text
from agent.proposer import Critique, CritiqueContext, PlanContext, WriteContext
from prompts import PLAIN, render_request, variant_text
from sandbox.verdict import Verdict
from tools.tasks.task import Task

_HISTORY = 60
_STEP = 30
_ALIKE = 0.6
"""A kernel is shown as its difference from another where that is shorter than this part of it."""


def plan_request(context: PlanContext) -> str:
    """Return what the planner is asked."""
    left = context.rounds - context.round
    return render_request(
        "planner",
        {
            "shared": shared_text(context.task, context.device, context.library),
            "round": str(context.round),
            "rounds": str(context.rounds),
            "left": "This is the last round: build on what works."
            if left <= 0
            else f"{left} more may follow.",
            "candidates": str(context.candidates),
            "baseline": baseline_line(context.baseline),
            "parents": _parents(context.parents, context.task) or "None yet.",
            "slots": "\n".join(_slot(*of) for of in enumerate(context.slots, start=1)) or "Your choice.",
            "history": _history(context.history),
            "critique": _critique(context.critique),
        },
    )


def write_request(context: WriteContext, variant: str = PLAIN) -> str:
    """Return what the coder is asked, in one of the ways that `prompts.variants` has."""
    shown = {page.name for page in shared_pages(context.library)}
    named = [page for page in context.pages if page.name not in shown]
    parent = context.parent
    return render_request(
        "coder",
        {
            "shared": shared_text(context.task, context.device, context.library),
            "baseline": baseline_line(context.baseline),
            "history": _history(context.history),
            "critique": _critique(context.critique),
            "features": ", ".join(context.plan.features) or "your choice",
            "why": context.plan.why or "-",
            "pages": "".join(f"{feature.text}\n" for feature in named),
            "parent": "None: start afresh." if parent is None else _start(parent, context),
            "feedback": context.feedback or "Nothing yet.",
            "approach": variant_text("coder", variant),
        },
    )


def critique_request(context: CritiqueContext) -> tuple[str, str]:
    """Return which critic is asked, and what: the one of failures where the round brought nothing correct."""
    earlier = context.history[: len(context.history) - len(context.trials)]
    values = {
        "shared": shared_text(context.task, context.device, context.library),
        "round": str(context.round),
        "baseline": baseline_line(context.baseline),
        "history": _history(earlier),
    }
    correct = any(trial.verdict is Verdict.PASS for trial in context.trials)
    if context.best is None or not correct:
        told = [_failed(trial, context) for trial in context.trials]
        return "failure_critic", render_request("failure_critic", {**values, "trials": "\n\n".join(told)})
    best = _parent(context.best, context.task)
    told = [_told(trial, context.best) for trial in context.trials]
    return "speed_critic", render_request(
        "speed_critic", {**values, "best": best, "trials": "\n\n".join(told)}
    )


def difference(kernel: str, other: str, name: str) -> str | None:
    """Return a kernel as its difference from another, in a fence; None where that is hardly shorter."""
    lines = difflib.unified_diff(
        other.splitlines(), kernel.splitlines(), name, "this kernel", lineterm="", n=2
    )
    text = "\n".join(lines)
    return fenced("diff", text) if text and len(text) < _ALIKE * len(kernel) else None


def _start(parent: Parent, context: WriteContext) -> str:
    """Return the kernel that a coder starts from, and what is to be merged into it."""
    text = _source(parent.kernel, context.task)
    if context.other is None:
        return text
    other = difference(context.other.kernel, parent.kernel, "the kernel above")
    return f"{text}\n\nMerge into it what this other kernel does better:\n\n" + (
        other or fenced("cuda", context.other.kernel)
    )


def _source(kernel: str, task: Task) -> str:
    """Return a kernel's text; the baseline's stands above, with the task."""
    return "The task's baseline, above." if kernel == task.baseline else fenced("cuda", kernel)


def _parents(parents: Sequence[Parent], task: Task) -> str:
    """Return kernels to build on; those that are much like the first one as what differs."""
    return "\n\n".join(
        _parent(parent, task, None if number == 0 else parents[0]) for number, parent in enumerate(parents)
    )


def _parent(parent: Parent, task: Task, first: Parent | None = None) -> str:
    said = (
        "It is correct, and to be beaten." if parent.trial is None else feedback(parent.trial, parent.kernel)
    )
    differs = None if first is None else difference(parent.kernel, first.kernel, short(first.sha))
    return f"### {short(parent.sha)}\n\n{differs or _source(parent.kernel, task)}\n\n{said}"


def _slot(number: int, slot: Slot) -> str:
    kernels = " and ".join(short(sha) for sha in slot.parents) or "a fresh start"
    wanted = f", features {', '.join(slot.features)}" if slot.features else ""
    kept = " (kept as it is)" if slot.keep else ""
    return f"{number}. from {kernels}{wanted}: {slot.why or 'your choice'}{kept}"


def _failed(trial: Trial, context: CritiqueContext) -> str:
    """Return a candidate with its source, as what differs from the baseline or from one that was shown before."""
    source = None if trial.sha is None else context.sources.get(trial.sha)
    if source is None:
        return f"### {trial_line(trial)}"
    twins = [one for one in context.trials if one.sha is not None and one.sha in context.sources]
    first = context.sources[twins[0].sha or ""]
    differs = None if first == source else difference(source, first, short(twins[0].sha or ""))
    return f"### {_name(trial)}\n\n{differs or fenced('cuda', source)}\n\n{feedback(trial, source)}"


def _told(trial: Trial, best: Parent) -> str:
    """Return a candidate beside the best one; the best itself was shown above."""
    if trial.sha is not None and trial.sha == best.sha:
        return f"### {trial_line(trial)}: the best, see above"
    return f"### {_name(trial)}\n\n{feedback(trial, None)}"


def _name(trial: Trial) -> str:
    name = f"{short(trial.sha)} " if trial.sha else ""
    return f"round {trial.round} candidate {trial.candidate} {name}[{', '.join(trial.features)}]"


def _history(trials: Sequence[Trial]) -> str:
    """Return the latest trials; it grows at its end alone, but for every so many rounds."""
    over = max(0, len(trials) - _HISTORY)
    left = -(-over // _STEP) * _STEP
    lines = [f"- {trial_line(trial)}" for trial in trials[left:]]
    return "\n".join(([f"({left} earlier ones left out)"] if left else []) + lines) or "Nothing yet."


def _critique(critique: Critique | None) -> str:
    return "Nothing yet." if critique is None else critique.text
