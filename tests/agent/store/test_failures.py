"""What a database refuses is one clear line, and nothing is lost or there by halves."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from agent.events import RoundPlanned
from agent.home import Home
from agent.results import SearchRequest
from agent.store import NewRun, Store, engines
from agent.store.address import VARIABLE, database_of
from agent.store.database import Database
from agent.store.failures import StoreError
from agent.store.jobs import NewJob
from agent.store.tables import runs
from tests.postgres import Cluster, skip_without_it

NEW = NewRun(SearchRequest(task="t"), "t", Path("/t"), "ab" * 32, "sim:h200", "process", "m", 7)
ROOT = Path(__file__).parents[3]
_UNTIL_FULL = """
import resource, sys
from pathlib import Path
from agent.events import RoundPlanned
from agent.home import Home
from agent.store import Store
from agent.store.failures import StoreError
store = Store(Home(Path(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
committed = 0
try:
    while True:
        store.event_log.append(RoundPlanned(run=sys.argv[2], round=committed, features=[["x" * 2000]]))
        committed += 1
except StoreError as error:
    print(committed, error)
"""


def event(run: str) -> RoundPlanned:
    return RoundPlanned(run=run, round=1, features=[])


def test_a_disk_that_is_full_is_one_line_and_what_was_committed_is_there(tmp_path: Path):
    home = Home(tmp_path / "home")
    run = Store(home).create(NEW)
    command = [sys.executable, "-c", _UNTIL_FULL, str(home.root), run]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    committed, _, said = done.stdout.strip().partition(" ")
    assert int(committed) > 10
    assert "disk" in said
    assert str(home.root) in said
    assert len(said.splitlines()) == 1
    store = Store(home)
    assert len(store.events_since(run)) == int(committed)
    assert store.event_log.append(event(run)) == int(committed) + 1, "with room again it goes on"
    with Database(home.database).read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]


@pytest.fixture
def readonly(tmp_path: Path) -> Generator[Home, None, None]:
    """A home with a run, in a folder that may not be written, also by root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.getuid() == 0:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], capture_output=True)
        if mounted.returncode != 0:
            pytest.skip("root may write everywhere, and may not mount here")
        try:
            Store(Home(folder)).create(NEW)
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            yield Home(folder)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        Store(Home(folder)).create(NEW)
        folder.chmod(0o500)
        (folder / "warpwright.db").chmod(0o400)
        yield Home(folder)
        folder.chmod(0o700)


def test_a_folder_that_may_not_be_written_is_one_line(readonly: Home):
    with pytest.raises(StoreError) as refused:
        Store(readonly).create(NEW)
    said = str(refused.value)
    assert "read-only" in said or "may not be written" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_one_line_that_says_what_brings_it_back(content: bytes, tmp_path: Path):
    home = Home(tmp_path)
    home.database.write_bytes(content)
    with pytest.raises(StoreError, match=r"warpwright restore FILE|cannot be"):
        Store(home).list_runs()


def test_each_job_is_given_to_one_of_those_that_ask_at_a_time(home: Home):
    table = Store(home).jobs
    wanted = {table.add(NewJob("search", "{}", "sim:h200"), most=99, kinds=("search",)) for _ in range(24)}

    def take(_: int) -> list[str]:
        mine, jobs = Store(home).jobs, list[str]()
        while (job := mine.claim()) is not None:
            jobs.append(job.id)
        return jobs

    with ThreadPoolExecutor(4) as pool:
        taken = [job for jobs in pool.map(take, range(4)) for job in jobs]
    assert sorted(taken) == sorted(wanted)


def test_writers_of_one_run_and_of_several_lose_no_event(home: Home):
    store = Store(home)
    known = [store.create(NEW) for _ in range(2)]

    def write(number: int) -> None:
        mine = Store(home)
        for _ in range(15):
            mine.event_log.append(event(known[number % 2]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    for run in known:
        assert [one.number for one in store.events_since(run)] == list(range(1, 31))


@pytest.fixture
def own_cluster() -> Generator[Cluster, None, None]:
    skip_without_it()
    made = Cluster.made()
    made.start(durable=True)
    yield made
    made.drop()


def test_a_database_that_restarts_is_waited_for_and_one_that_stays_away_is_one_line(
    own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, own_cluster.database())
    home = Home(tmp_path)
    store = Store(home)
    run = store.create(NEW)
    store.event_log.append(event(run))
    database = Database(database_of(home))

    def cut_off() -> None:
        with database.write(run) as connection:
            connection.execute(update(runs).where(runs.c.id == run), {"error": "half"})
            own_cluster.stop()

    with pytest.raises(StoreError, match="cannot be used") as refused:
        cut_off()
    assert len(str(refused.value).splitlines()) == 1
    back = threading.Thread(target=lambda: (time.sleep(0.3), own_cluster.start(durable=True)))
    back.start()
    assert store.event_log.append(event(run)) == 2, "waits until it is back"
    back.join()
    assert store.get_run(run).error == "", "what was not committed is not there"
    own_cluster.stop()
    monkeypatch.setattr(engines, "AWAY_S", 0.2)
    with pytest.raises(StoreError, match="cannot be used") as refused:
        store.event_log.append(event(run))
    assert len(str(refused.value).splitlines()) == 1
    own_cluster.start(durable=True)
    assert store.event_log.append(event(run)) == 3
