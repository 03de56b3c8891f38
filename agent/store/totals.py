"""What all runs of a home come to, whoever began them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Select, func, select

from agent.store.database import Database
from agent.store.tables import candidates, jobs, replies, runs

_RUNS = select(runs.c.state, func.count()).group_by(runs.c.state)
_JOBS = select(jobs.c.state, func.count()).group_by(jobs.c.state)
_JUDGED = select(func.coalesce(candidates.c.verdict, "unjudged").label("verdict")).subquery("judged")
_CANDIDATES = select(_JUDGED.c.verdict, func.count()).group_by(_JUDGED.c.verdict)
_R = replies.c
_MODELS = select(
    _R.model,
    func.coalesce(func.sum(_R.tokens_in), 0),
    func.coalesce(func.sum(_R.tokens_out), 0),
    func.coalesce(func.sum(_R.usd), 0.0),
).group_by(_R.model)


@dataclass(frozen=True)
class StoreTotals:
    """Counts over a whole store.

    Attributes:
        runs: Runs by state; one whose process was lost counts as running until somebody goes on with it.
        jobs: Jobs of servers by state, those that were not fetched yet among them.
        candidates: Candidates by verdict; "unjudged" for those that wait.
        tokens: Of models, by model and direction ("input", "output").
        usd: By model, as far as a price is known.
    """

    runs: Mapping[str, int]
    jobs: Mapping[str, int]
    candidates: Mapping[str, int]
    tokens: Mapping[tuple[str, str], int]
    usd: Mapping[str, float]


class Totals:
    """Adds up a store; each reading is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> StoreTotals:
        """Add up what there is now."""
        with self._database.read() as connection:

            def by(query: Select[str, int]) -> dict[str, int]:
                return {name: count for name, count in connection.execute(query)}

            models = connection.execute(_MODELS).all()
            return StoreTotals(
                runs=by(_RUNS),
                jobs=by(_JOBS),
                candidates=by(_CANDIDATES),
                tokens={(row[0], "input"): int(row[1]) for row in models}
                | {(row[0], "output"): int(row[2]) for row in models},
                usd={row[0]: float(row[3]) for row in models},
            )
