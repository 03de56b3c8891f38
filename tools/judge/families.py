"""Families of values: which count for a task, and how a candidate that fails on one is judged beside the baseline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.device import Device
from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tools.judge.questions import Oracle, has_answer
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import JudgedResults, fresh_seed, judge_results
from tools.tasks.task import Task

ROOM = 0.5
"""Of its error bound, a baseline may use this much on a family that counts: what is near the edge fails some day."""

SEEDS = 4
"""Inputs of a family that the baseline must survive."""


@dataclass(frozen=True)
class Court:
    """Where kernels of one task are judged."""

    task: Task
    device: Device
    oracle: Oracle
    rules: Rules

    async def survives(self, baseline: Subject, seed: int) -> bool:
        """Say whether the task's own baseline passes a family with room, on several inputs.

        Where the reference has no answer, as `math.exp` beyond its range, the family is not one of the task.
        """
        rules = replace(self.rules, seeds=SEEDS)
        subject = replace(baseline, once=False)
        try:
            found = await judge_results(self.task, self.device, self.oracle, [subject], rules, seed=seed)
        except UsageError:
            return False
        used = [case.worst_ratio or 0.0 for case in found.report.cases]
        return found.report.verdict is Verdict.PASS and max(used, default=0.0) <= ROOM

    async def judge(
        self,
        subjects: Sequence[Subject],
        families: Mapping[str, Subject],
        baseline: Callable[[str], Awaitable[Subject]],
        *,
        seed: int | None = None,
    ) -> tuple[JudgedResults, tuple[str, ...]]:
        """Judge a candidate on the task's cases and on families of values.

        Where it gets a wrong result on a family, the baseline is run on that very input; where that fails too, the
        input asks for more than the task does: the family is dropped, and the candidate judged on the others.

        Args:
            subjects: The candidate for every case of the task.
            families: The candidate for every family, by the family's name.
            baseline: Gives the task's baseline, compiled for a family.
            seed: Replays one judgement; None takes a fresh seed.

        Returns:
            The judgement, and the families that were dropped.

        Raises:
            UsageError: The reference has no answer to one of the task's own cases.
            WorkerDiedError: A worker ended for no known cause, and so did the one after it.
        """
        asked, dropped = dict(families), tuple[str, ...]()
        seed = fresh_seed() if seed is None else seed
        while True:
            try:
                judgement = await judge_results(
                    self.task, self.device, self.oracle, [*subjects, *asked.values()], self.rules, seed=seed
                )
            except UsageError:
                unanswered = [
                    name for name, one in asked.items() if not await has_answer(self.oracle, one.case, seed)
                ]
                if not unanswered:
                    raise
                asked = {name: one for name, one in asked.items() if name not in unanswered}
                continue
            failed = next((name for name, one in asked.items() if one.case == judgement.failed), None)
            if failed is None or judgement.report.verdict is not Verdict.WRONG_RESULT:
                return judgement, dropped
            beside = await baseline(failed)
            if not await self._fails(beside, judgement.report.cases[-1].seed):
                return judgement, dropped
            del asked[failed]
            dropped += (failed,)

    async def _fails(self, baseline: Subject, seed: int) -> bool:
        rules = replace(self.rules, seeds=1)
        found = await judge_results(self.task, self.device, self.oracle, [baseline], rules, seed=seed)
        return found.report.verdict is not Verdict.PASS


def said_of(dropped: Sequence[str]) -> str:
    """Return what to say of families that were dropped; empty where none was."""
    if not dropped:
        return ""
    return f" Not asked of this task, as its baseline fails there too: {', '.join(dropped)}."
