"""Lines of training data, in the formats that TRL reads ("Dataset formats and types" in its documentation)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from agent.store import Run
from agent.trajectories.conversations import Dialogue, HandedIn
from agent.trajectories.rewards import NAME
from sandbox.verdict import Provenance, Verdict
from tools.preference import RESOLUTION

Line = dict[str, Any]
"""A line as JSON has it: the columns of its format, and those of `about`."""


@dataclass(frozen=True)
class Source:
    """Where conversations come from: a run, and its conversations."""

    run: Run
    conversations: tuple[Dialogue, ...]


@dataclass(frozen=True)
class _Tried:
    """An answer to an opening question, and the conversation that it is from."""

    handed: HandedIn
    of: Dialogue


def sft(source: Source) -> Iterator[Line]:
    """Yield `messages`: the opening question and the right kernel that was written in the end."""
    for one in source.conversations:
        if one.kept.verdict is Verdict.PASS:
            messages = [*one.opening, _said(one.kept)]
            yield {"messages": messages, **_about(source, one, one.kept)}


def preference(source: Source) -> Iterator[Line]:
    """Yield `prompt`, `chosen`, `rejected`: the best answer to a question beside each that is surely worse."""
    asked = sorted(source.conversations, key=lambda one: str(one.opening))
    for _, same in groupby(asked, key=lambda one: str(one.opening)):
        answers = [_Tried(handed, one) for one in same for handed in one.handed]
        best = max(answers, key=lambda one: one.handed.reward)
        for worse in answers:
            if _surely_better(best, worse):
                yield {
                    "prompt": [*best.of.opening],
                    "chosen": [_said(best.handed)],
                    "rejected": [_said(worse.handed)],
                    **_about(source, best.of, best.handed),
                    "rejected_reward": worse.handed.reward,
                    "rejected_verdict": worse.handed.verdict,
                    "rejected_speedup": worse.handed.speedup,
                }


def stepwise(source: Source) -> Iterator[Line]:
    """Yield `prompt`, `completions`, `labels`: what was handed in, one step each, and whether it was right."""
    for one in source.conversations:
        yield {
            "prompt": "\n\n".join(str(message["content"]) for message in one.opening),
            "completions": [step.text for step in one.handed],
            "labels": [step.verdict is Verdict.PASS for step in one.handed],
            "rewards": [step.reward for step in one.handed],
            "verdicts": [step.verdict for step in one.handed],
            **_about(source, one, one.kept),
        }


def multi_turn(source: Source) -> Iterator[Line]:
    """Yield `messages` and `tools`: whole conversations, tools and returned kernels included."""
    for one in source.conversations:
        yield {
            "messages": [*one.messages],
            "tools": [*one.tools],
            **_about(source, one, one.kept),
        }


FORMATS: dict[str, Callable[[Source], Iterator[Line]]] = {
    "sft": sft,
    "preference": preference,
    "stepwise": stepwise,
    "multi_turn": multi_turn,
}
"""What can be written, by the name of its file."""


def lines(name: str, sources: Iterable[Source]) -> Iterator[Line]:
    """Yield the lines of a format."""
    for source in sources:
        yield from FORMATS[name](source)


def _surely_better(best: _Tried, worse: _Tried) -> bool:
    """Whether an answer is better by more than what an estimate can tell; what was measured is taken as it is."""
    if best.handed.reward <= worse.handed.reward:
        return False
    known: Sequence[float | None] = (best.handed.speedup, worse.handed.speedup)
    fast, slow = known
    if worse.handed.verdict is not Verdict.PASS:
        return True
    if fast is None or slow is None:
        return False
    margin = 1.0 if best.of.provenance is Provenance.MEASURED else 1.0 + RESOLUTION
    return fast > slow * margin


def _said(handed: HandedIn) -> dict[str, str]:
    return {"role": "assistant", "content": handed.text}


def _about(source: Source, one: Dialogue, handed: HandedIn) -> Line:
    """Return the columns that every line has beside those of its format."""
    run = source.run
    return {
        "reward": handed.reward,
        "reward_definition": NAME,
        "verdict": handed.verdict,
        "latency_us": one.trial.latency_us,
        "speedup": handed.speedup,
        "provenance": one.provenance,
        "model": one.model,
        "prompt_variant": one.variant,
        "task": run.task,
        "task_sha": run.task_sha,
        "device": run.device,
        "run": run.id,
        "round": one.trial.round,
        "candidate": one.trial.candidate,
        "kernel_sha": one.trial.sha,
        "features": one.trial.features,
    }
