"""Waits for the word of somebody in another process: a round's plans are left in the store, and answered there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import TypeAdapter

from agent.candidates import CandidatePlan
from agent.events import Noticed
from agent.search.planned import PLANNED, PlannedRound
from agent.store import Store

LIMIT_S = 3600.0
"""How long a search waits for a word before it stops, to be gone on with: it keeps others from its place."""
_POLL_S = 0.25
ANSWER: TypeAdapter[tuple[CandidatePlan, ...]] = TypeAdapter(tuple[CandidatePlan, ...])
"""Writes and reads what a round was answered with."""


class StoredApproval:
    """An approver of searches whose person is elsewhere."""

    def __init__(self, store: Store, limit_s: float = LIMIT_S) -> None:
        self._store = store
        self._limit_s = limit_s

    async def __call__(self, planned: PlannedRound) -> Sequence[CandidatePlan] | None:
        """Leave a round and return what is to be carried out; None where no word came in time."""
        approvals = self._store.approvals(planned.run)
        await asyncio.to_thread(approvals.ask, planned.round, PLANNED.dump_json(planned).decode())
        try:
            self._say(planned, "waits for approval of its plans")
            async with asyncio.timeout(self._limit_s):
                while (answer := await asyncio.to_thread(approvals.answer_to, planned.round)) is None:
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            self._say(
                planned, f"nobody approved of its plans within {self._limit_s:g} s: the search stops here"
            )
            return None
        finally:
            approvals.withdraw(planned.round)
        return ANSWER.validate_json(answer)

    def _say(self, planned: PlannedRound, said: str) -> None:
        self._store.event_log.append(Noticed(run=planned.run, message=f"round {planned.round}: {said}"))
