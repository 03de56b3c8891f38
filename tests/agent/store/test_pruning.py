from __future__ import annotations

import time

import pytest

from agent.home import Home
from agent.results import RunState, Stop
from agent.store import Store
from agent.store.address import database_of
from agent.store.database import Database
from agent.store.tables import METADATA, jobs
from sandbox.errors import UsageError
from tests.agent.store.test_backups import ASKED, filled


async def two_runs(home: Home) -> tuple[str, str]:
    """Return a run that ended and one that is at work."""
    old = await filled(home)
    store = Store(home)
    at_work = store.create(store.get_run(old))
    store.runs.end(old, RunState.COMPLETED, Stop.DEPTH, seconds=1.0)
    return old, at_work


def rows_of(home: Home, run: str) -> int:
    count = 0
    with Database(database_of(home)).read() as connection:
        for table in METADATA.sorted_tables:
            if "run" in table.c and table is not jobs:
                count += len(connection.execute(table.select().where(table.c.run == run)).all())
    return count


async def test_an_old_run_goes_with_all_that_belongs_to_it_and_one_at_work_stays(home: Home):
    old, at_work = await two_runs(home)
    store = Store(home)
    assert rows_of(home, old) > 0
    assert store.prune(time.time() + 1) == [old]
    with pytest.raises(UsageError, match="no run named"):
        store.get_run(old)
    assert rows_of(home, old) == 0
    assert not store.kernels.folder(old).exists()
    assert store.get_run(at_work).state is RunState.RUNNING
    with Database(database_of(home)).read() as connection:
        assert connection.execute(METADATA.tables["messages"].select()).all() == [], "nobody asks for it now"


async def test_a_run_of_late_stays_and_so_do_messages_that_another_run_holds(home: Home):
    old, at_work = await two_runs(home)
    store = Store(home)
    assert store.prune(time.time() - 3600) == []
    store.replies(at_work).keep(*keeping())
    assert store.prune(time.time() + 1) == [old]
    (exchange,) = store.replies(at_work).exchanges(("coder",))
    assert exchange.asked == ASKED


def keeping():
    from agent.store.replies import Reply
    from tests.agent.store.test_backups import KEY

    return KEY, Reply("text"), ASKED


async def test_a_folder_that_a_kill_left_behind_goes_the_next_time_and_no_other_does(home: Home):
    old, _ = await two_runs(home)
    store = Store(home)
    store.kernels.keep("unknown", "text")
    store.kernels.keep("left", "text")
    store.kernels.mark_pruned("left")
    store.kernels.mark_pruned(old)  # killed before its rows were gone
    store.prune(time.time() - 3600)
    left = sorted(path.name for path in home.runs.iterdir())
    assert left == sorted([old, "unknown"]), "a folder of another database's run is not ours to remove"
