"""The table of dialects: what each model at each endpoint was found not to understand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent.store.database import Database


class DialectMemory:
    """Remembers, for all runs of a home, how models want to be asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, endpoint: str, model: str) -> dict[str, Any]:
        """Return what is known of a model at an endpoint; empty where nothing is."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT dialect FROM dialects WHERE endpoint = ? AND model = ?", (endpoint, model)
            ).fetchone()
        return {} if row is None else json.loads(row["dialect"])

    def keep(self, endpoint: str, model: str, dialect: Mapping[str, Any]) -> None:
        """Remember a model's dialect."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO dialects (endpoint, model, dialect) VALUES (?, ?, ?)",
                (endpoint, model, json.dumps(dict(dialect))),
            )
