"""Writes trajectories to a folder: a file a format, and what their columns mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.store import Store
from agent.trajectories.conversations import RunConversations, conversations_of
from agent.trajectories.lines import Source, lines
from agent.trajectories.rewards import DEFINITION, NAME, Rewarded, out_of_order
from sandbox.errors import UsageError
from sandbox.verdict import Verdict

ABOUT = "about.json"


@dataclass(frozen=True)
class Exported:
    """What was written, and what was not.

    Attributes:
        folder: Where it lies.
        lines: How many of each format.
        runs: Runs that were read.
        conversations: Candidates whose conversation could be told.
        unasked: Candidates that nobody was asked for in words (the composer's, kernels that a search was given), or
            that an earlier version kept no questions of.
        unjudged: Candidates that no machine could judge.
        right: Right kernels that have a reward, and the lowest one; None where there is none.
        wrong: Wrong kernels that have a reward, and the highest one; None where there is none.
    """

    folder: Path
    lines: dict[str, int]
    runs: int
    conversations: int
    unasked: int
    unjudged: int
    right: tuple[int, float | None]
    wrong: tuple[int, float | None]


def export(store: Store, runs: Sequence[str], folder: Path, formats: Sequence[str]) -> Exported:
    """Write the trajectories of runs.

    Args:
        store: Where they are.
        runs: Their names.
        folder: To write to; made where it is not there.
        formats: Of `lines.FORMATS`.

    Raises:
        UsageError: There is no such run, the folder holds such files already or cannot be written.
    """
    told = [(store.get_run(run), conversations_of(store, run)) for run in dict.fromkeys(runs)]
    sources = [Source(run, found.conversations) for run, found in told]
    handed = [
        Rewarded(step.verdict, step.speedup, step.reward)
        for source in sources
        for one in source.conversations
        for step in one.handed
    ]
    assert not out_of_order(handed), "rewards order as verdicts do, by their definition"
    _require_room(folder, formats)
    counts = {name: _write(folder / f"{name}.jsonl", name, sources) for name in formats}
    exported = _summed(folder, counts, [found for _, found in told], handed)
    _write_about(folder, exported)
    return exported


def _summed(
    folder: Path, counts: dict[str, int], told: Sequence[RunConversations], handed: Sequence[Rewarded]
) -> Exported:
    right = [one.reward for one in handed if one.verdict is Verdict.PASS]
    wrong = [one.reward for one in handed if one.verdict is not Verdict.PASS]
    return Exported(
        folder=folder,
        lines=counts,
        runs=len(told),
        conversations=sum(len(one.conversations) for one in told),
        unasked=sum(one.unasked for one in told),
        unjudged=sum(one.unjudged for one in told),
        right=(len(right), min(right, default=None)),
        wrong=(len(wrong), max(wrong, default=None)),
    )


def _require_room(folder: Path, formats: Sequence[str]) -> None:
    present = [name for name in (*(f"{one}.jsonl" for one in formats), ABOUT) if (folder / name).exists()]
    if present:
        raise UsageError(f"{folder} holds {' and '.join(present)} already; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror or error}") from None


def _write(path: Path, name: str, sources: Sequence[Source]) -> int:
    count = 0
    try:
        with path.open("w", encoding="utf-8") as file:
            for line in lines(name, sources):
                file.write(json.dumps(line, allow_nan=False) + "\n")
                count += 1
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    return count


def _write_about(folder: Path, exported: Exported) -> None:
    about = {
        "reward_definition": {NAME: DEFINITION},
        "files": {f"{name}.jsonl": count for name, count in exported.lines.items()},
        "left_out": {"nobody_was_asked": exported.unasked, "not_judged": exported.unjudged},
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
