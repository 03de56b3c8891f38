"""Retention: runs that nothing was heard of for long are forgotten, with their kernels."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, select

from agent.store.database import Database
from agent.store.engines import lock
from agent.store.files import KernelFiles
from agent.store.runs import Runs
from agent.store.tables import METADATA, jobs, messages, questions, runs

_OF_RUN = tuple(
    delete(table).where(table.c.run == bindparam("of"))
    for table in METADATA.sorted_tables
    if "run" in table.c and table is not jobs
)
_RUN = delete(runs).where(runs.c.id == bindparam("of"))
_MESSAGE = delete(messages).where(messages.c.sha == bindparam("of"))


def prune(database: Database, kernels: KernelFiles, before: float) -> list[str]:
    """Forget the runs that are not at work and of which nothing was heard since then; return them.

    Rows go first, a run in a transaction; of one whose folder is left behind by a kill, the next time removes it.
    """
    known = Runs(database)
    gone: list[str] = []
    for run in known.silent(before):
        with database.write(run) as connection:
            if known.still_silent(connection, run, before):
                kernels.mark_pruned(run)
                for statement in (*_OF_RUN, _RUN):
                    connection.execute(statement, {"of": run})
                gone.append(run)
    with database.write(messages.name) as connection:
        for sha in _unasked(connection):
            connection.execute(_MESSAGE, {"of": sha})
    with database.read() as connection:
        kernels.sweep(set(connection.execute(select(runs.c.id)).scalars()))
    return gone


def _unasked(connection: Connection) -> Sequence[str]:
    """Return the messages that no question holds; who keeps a question meanwhile waits."""
    lock(connection, messages.name)
    rows = connection.execute(select(questions.c.messages, questions.c.tools)).all()
    asked = {sha for row in rows for sha in (*json.loads(row.messages), row.tools)}
    return [sha for sha in connection.execute(select(messages.c.sha)).scalars() if sha not in asked]
