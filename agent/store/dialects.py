"""The table of dialects: what each model at each endpoint was found not to understand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, select

from agent.store.database import Database
from agent.store.tables import dialects

_C = dialects.c
_ONE = and_(_C.endpoint == bindparam("at"), _C.model == bindparam("of"))
_FIND = select(_C.dialect).where(_ONE)
_DROP = delete(dialects).where(_ONE)


class DialectMemory:
    """Remembers, for all runs of a home, how models want to be asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, endpoint: str, model: str) -> dict[str, Any]:
        """Return what is known of a model at an endpoint; empty where nothing is."""
        with self._database.read() as connection:
            known = connection.execute(_FIND, {"at": endpoint, "of": model}).scalar()
        return {} if known is None else json.loads(known)

    def keep(self, endpoint: str, model: str, dialect: Mapping[str, Any]) -> None:
        """Remember a model's dialect."""
        row = {"endpoint": endpoint, "model": model, "dialect": json.dumps(dict(dialect))}
        with self._database.write("dialects") as connection:
            connection.execute(_DROP, {"at": endpoint, "of": model})
            connection.execute(insert(dialects), row)
