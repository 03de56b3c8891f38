"""The table of events: what a run said, numbered from 1, for those who were not listening."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydantic import TypeAdapter

from agent.events import Event
from agent.store.database import Database

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


@dataclass(frozen=True)
class StoredEvent:
    """An event with its number in the run and when it happened, seconds since the epoch."""

    number: int
    time: float
    event: Event


class EventLog:
    """Appends events and reads them back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, event: Event) -> int:
        """Store an event and return its number."""
        with self._database.write() as connection:
            row = connection.execute(
                "INSERT INTO events (run, number, time, event)"
                " SELECT ?, coalesce(max(number), 0) + 1, ?, ? FROM events WHERE run = ? RETURNING number",
                (event.run, time.time(), event.model_dump_json(), event.run),
            ).fetchone()
        return int(row["number"])

    def last(self, run: str) -> int:
        """Return the number of a run's latest event; 0 before any."""
        with self._database.read() as connection:
            row = connection.execute("SELECT max(number) FROM events WHERE run = ?", (run,)).fetchone()
        return int(row[0] or 0)

    def since(self, run: str, number: int = 0) -> list[StoredEvent]:
        """Return the events of a run after the one of that number, in order."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT number, time, event FROM events WHERE run = ? AND number > ? ORDER BY number",
                (run, number),
            ).fetchall()
        return [StoredEvent(row["number"], row["time"], _EVENT.validate_json(row["event"])) for row in rows]
