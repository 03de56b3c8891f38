"""What a run's chat models have cost, and what calls under way may yet cost: a budget that holds over processes.

The worst that a call can cost is set aside before it is made. What it did cost replaces that once it is answered; a
call whose process was killed keeps its worst, since it may have been billed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from agent.budget import SearchBudget
from agent.store.database import Database
from agent.store.tables import candidates, model_calls

_C = model_calls.c
_COST = select(func.coalesce(func.sum(_C.tokens), 0), func.sum(_C.usd)).where(_C.run == bindparam("of"))
_SETTLE = update(model_calls).where(_C.id == bindparam("call"))
_RELEASE = delete(model_calls).where(_C.id == bindparam("call"))
_WRITTEN = select(func.count()).where(candidates.c.run == bindparam("of"), candidates.c.round > 0)


@dataclass(frozen=True)
class CallCost:
    """What calls cost: tokens, read and written, and US dollars (None where no price is known)."""

    tokens: int
    usd: float | None


class Ledger:
    """The account of one run, as one process keeps it.

    Attributes:
        spent_up: Why the run may spend no more; empty while it may.
    """

    def __init__(self, database: Database, run: str, budget: SearchBudget) -> None:
        self._database = database
        self._run = run
        self._budget = budget
        self._open = 0
        self._settled = asyncio.Condition()
        self.spent_up = ""

    async def reserve(self, model: str, worst: CallCost) -> int | None:
        """Set aside the worst that a call can cost; wait where calls under way may turn out cheaper.

        Returns:
            The call's number for `settle` or `release`; None where the budget has no room for it, nor will have.
        """
        async with self._settled:
            while (call := self._reserved(model, worst)) is None:
                if self._open == 0:
                    self.spent_up = self.spent_up or self._full(worst)
                    return None
                await self._settled.wait()
            self._open += 1
            return call

    async def settle(self, call: int, cost: CallCost) -> None:
        """Replace a call's worst by what it did cost."""
        async with self._settled:
            said = {"call": call, "tokens": cost.tokens, "usd": cost.usd, "settled": 1}
            with self._database.write(self._run) as connection:
                connection.execute(_SETTLE, said)
            self._close()

    async def release(self, call: int) -> None:
        """Forget a call that was never billed."""
        async with self._settled:
            with self._database.write(self._run) as connection:
                connection.execute(_RELEASE, {"call": call})
            self._close()

    async def abandon(self) -> None:
        """Leave a call at its worst: it may have been billed."""
        async with self._settled:
            self._close()

    def cost(self) -> CallCost:
        """Return what the run's calls have cost and may yet cost."""
        with self._database.read() as connection:
            return self._cost(connection)

    def candidates_left(self, wanted: int) -> int:
        """Return how many more candidates may be written, `wanted` at most."""
        if self._budget.max_candidates is None:
            return wanted
        with self._database.read() as connection:
            written = connection.execute(_WRITTEN, {"of": self._run}).scalar_one()
        left = max(0, self._budget.max_candidates - written)
        if left == 0:
            self.spent_up = f"the {self._budget.max_candidates} candidates of --max-candidates are written"
        return min(wanted, left)

    def _close(self) -> None:
        self._open -= 1
        self._settled.notify_all()

    def _reserved(self, model: str, worst: CallCost) -> int | None:
        """Enter a call where it fits, in one transaction with looking whether it does."""
        row = {"run": self._run, "model": model, "tokens": worst.tokens, "usd": worst.usd}
        with self._database.write(self._run) as connection:
            if not self._fits(self._cost(connection), worst):
                return None
            return int(connection.execute(insert(model_calls).returning(_C.id), row).scalar_one())

    def _cost(self, connection: Connection) -> CallCost:
        tokens, usd = connection.execute(_COST, {"of": self._run}).one()
        return CallCost(tokens, usd)

    def _fits(self, spent: CallCost, worst: CallCost) -> bool:
        """Whether a call's worst is within what is left; one without a price fits no budget in US dollars."""
        budget = self._budget
        if budget.max_tokens is not None and spent.tokens + worst.tokens > budget.max_tokens:
            return False
        if budget.max_usd is None:
            return True
        return worst.usd is not None and (spent.usd or 0.0) + worst.usd <= budget.max_usd

    def _full(self, worst: CallCost) -> str:
        spent, budget = self.cost(), self._budget
        if budget.max_tokens is not None and spent.tokens + worst.tokens > budget.max_tokens:
            return (
                f"{spent.tokens} of {budget.max_tokens} tokens (--max-tokens) are spent, and the next call may take"
                f" {worst.tokens}"
            )
        return (
            f"{spent.usd or 0:.4f} of {budget.max_usd:g} US dollars (--max-usd) are spent, and the next call may cost"
            f" {worst.usd or 0:.4f}"
        )
