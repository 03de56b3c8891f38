"""The table of events: what a run said, numbered from 1, for those who were not listening."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydantic import TypeAdapter
from sqlalchemy import bindparam, func, insert, select

from agent.events import Event
from agent.store.database import Database
from agent.store.tables import events

_C = events.c
_BEFORE = events.alias("before")
_NEXT = (
    select(func.coalesce(func.max(_BEFORE.c.number), 0) + 1)
    .where(_BEFORE.c.run == bindparam("of"))
    .scalar_subquery()
)
_APPEND = (
    insert(events)
    .values(run=bindparam("of"), number=_NEXT, time=bindparam("now"), event=bindparam("said"))
    .returning(_C.number)
)
_LATEST = select(func.max(_C.number)).where(_C.run == bindparam("of"))
_SINCE = (
    select(_C.number, _C.time, _C.event)
    .where(_C.run == bindparam("of"), _C.number > bindparam("after"))
    .order_by(_C.number)
)
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
        said = {"of": event.run, "now": time.time(), "said": event.model_dump_json()}
        with self._database.write(event.run) as connection:
            return int(connection.execute(_APPEND, said).scalar_one())

    def last(self, run: str) -> int:
        """Return the number of a run's latest event; 0 before any."""
        with self._database.read() as connection:
            return int(connection.execute(_LATEST, {"of": run}).scalar() or 0)

    def since(self, run: str, number: int = 0) -> list[StoredEvent]:
        """Return the events of a run after the one of that number, in order."""
        with self._database.read() as connection:
            rows = connection.execute(_SINCE, {"of": run, "after": number}).all()
        return [StoredEvent(row.number, row.time, _EVENT.validate_json(row.event)) for row in rows]
