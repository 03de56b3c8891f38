"""What all runs of a home come to, whoever began them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.store.database import Database


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

            def by(query: str) -> dict[str, int]:
                return {str(row[0]): int(row[1]) for row in connection.execute(query)}

            models = connection.execute(
                "SELECT model, coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0), coalesce(sum(usd), 0)"
                " FROM replies GROUP BY model"
            ).fetchall()
            return StoreTotals(
                runs=by("SELECT state, count(*) FROM runs GROUP BY state"),
                jobs=by("SELECT state, count(*) FROM jobs GROUP BY state"),
                candidates=by("SELECT coalesce(verdict, 'unjudged'), count(*) FROM candidates GROUP BY 1"),
                tokens={(row[0], "input"): int(row[1]) for row in models}
                | {(row[0], "output"): int(row[2]) for row in models},
                usd={row[0]: float(row[3]) for row in models},
            )
