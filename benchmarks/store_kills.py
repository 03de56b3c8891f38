"""Kills writers to the store at random points: `python -m benchmarks.store_kills [--kills 200] [--json]`.

A process writes to one run what a search writes: candidates with their kernels and verdicts, answers with what was
asked, calls, events. It is killed (by kill -9) a random time after a random transaction, and another one goes on.
After each kill it is looked whether everything that was acknowledged is there, and nothing by halves. The database is
a file, or the one that WARPWRIGHT_DATABASE names; it has to be empty.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.budget import SearchBudget
from agent.candidates import CandidatePlan, Submission
from agent.cli.output import print_json
from agent.events import RoundPlanned
from agent.home import Home
from agent.results import RunState, SearchRequest
from agent.store import NewRun, Store
from agent.store.address import database_of
from agent.store.database import Database
from agent.store.files import kernel_sha
from agent.store.ledger import CallCost
from agent.store.questions import Asked
from agent.store.replies import Reply, ReplyKey
from sandbox.verdict import Verdict

_MOST_BEFORE = 12
"""Transactions before a kill."""
_LONGEST_S = 0.02
_TOKENS = 2
_STEPS = 5
"""Transactions of one candidate, each acknowledged by a byte once it is committed."""


@dataclass
class Damage:
    """What became of a store whose writers were killed.

    Attributes:
        engine: sqlite or postgresql.
        kills: Writers that were killed while they wrote.
        written: Transactions that were acknowledged.
        lost: Of these, the ones that are not there.
        halves: Things of which a part is there only: an answer without its question, a candidate without its kernel,
            a gap among events; and more than one transaction that was not acknowledged, or a file that SQLite finds
            fault with.
        seconds: That it took.
    """

    engine: str
    kills: int = 0
    written: int = 0
    lost: int = 0
    halves: int = 0
    seconds: float = 0.0


def kill_writers(home: Home, kills: int, seed: int) -> Damage:
    """Kill so many writers to a new run, and count what they lost or left by halves."""
    rng, began = random.Random(seed), time.monotonic()
    damage = Damage("sqlite" if isinstance(database_of(home), Path) else "postgresql")
    new = NewRun(SearchRequest(task="t"), "t", home.root, "00" * 32, "sim:h200", "process", "m", seed)
    run = Store(home).create(new)
    candidate = there = 0
    while damage.kills < kills:
        acknowledged = _killed(
            home, run, candidate, (rng.randrange(_MOST_BEFORE), rng.uniform(0, _LONGEST_S))
        )
        damage.kills += 1
        damage.written += acknowledged
        before, there = there, _transactions(home, run)
        damage.lost += max(0, before + acknowledged - there)
        damage.halves += _halves(home, run) + (there > before + acknowledged + 1)
        candidate += acknowledged // _STEPS + 1
    damage.seconds = time.monotonic() - began
    return damage


def _killed(home: Home, run: str, first: int, after: tuple[int, float]) -> int:
    """Let a process write from a candidate on, kill it, and return how much it acknowledged.

    It is killed after so many transactions, and so many seconds.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _write(Store(home), run, first, writing)
    os.close(writing)
    transactions, seconds = after
    with os.fdopen(reading, "rb") as acknowledged:
        before = len(acknowledged.read(1 + transactions))  # one says that it begins
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return before - 1 + len(acknowledged.read())


def _write(store: Store, run: str, candidate: int, acknowledge: int) -> NoReturn:
    """Write candidate after candidate until the end."""
    os.write(acknowledge, b".")
    while True:
        for step in _steps(store, run, candidate):
            step()
            os.write(acknowledge, b".")
        candidate += 1


def _steps(store: Store, run: str, candidate: int) -> tuple[Callable[[], object], ...]:
    """Return the transactions of a candidate."""
    text = f"// candidate {candidate}\n"
    submission = Submission(1, candidate, CandidatePlan(None, ("x",), "why"), kernel_sha(text))
    asked = Asked(({"role": "system", "content": "write"}, {"role": "user", "content": text}))
    key = ReplyKey(1, candidate, "coder", kernel_sha(text))
    ledger = store.ledger(run, SearchBudget())

    def submit() -> None:
        store.kernels.keep(run, text)
        store.candidates.add(run, submission)

    return (
        lambda: asyncio.run(ledger.reserve("m", CallCost(_TOKENS, 0.5))),
        lambda: store.replies(run).keep(key, Reply(text, 1, 1, model="m"), asked),
        submit,
        lambda: store.candidates.judge(run, submission.judged(Verdict.PASS, "said")),
        lambda: store.event_log.append(RoundPlanned(run=run, round=candidate, features=[])),
    )


def _transactions(home: Home, run: str) -> int:
    """Return how many transactions of writers are there."""
    store = Store(home)
    attempts = store.candidates.attempts(run)
    judged = sum(trial is not None for _, trial in attempts)
    calls = store.ledger(run, SearchBudget()).cost().tokens // _TOKENS
    return (
        calls
        + len(store.replies(run).exchanges(("coder",)))
        + len(attempts)
        + judged
        + store.event_log.last(run)
    )


def _halves(home: Home, run: str) -> int:
    store = Store(home)
    found = sum(
        one.asked is None or len(one.asked.messages) != 2 for one in store.replies(run).exchanges(("coder",))
    )
    for made, _ in store.candidates.attempts(run):
        found += made.sha is None or kernel_sha(store.kernels.read(run, made.sha)) != made.sha
    numbers = [entry.number for entry in store.events_since(run)]
    found += numbers != list(range(1, len(numbers) + 1))
    found += store.get_run(run).state is not RunState.RUNNING
    database = Database(database_of(home))
    if database.is_file:
        with database.read() as connection:
            found += connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() != ["ok"]
    return found


def main(
    kills: Annotated[int, typer.Option(min=1, help="Of writers.")] = 200,
    seed: Annotated[int, typer.Option()] = 1,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Kill writers to the store, and print what they lost and left by halves."""
    with tempfile.TemporaryDirectory() as folder:
        damage = kill_writers(Home(Path(folder)), kills, seed)
    if as_json:
        print_json(asdict(damage))
    else:
        typer.echo(
            f"{damage.engine}: {damage.kills} kills, {damage.written} transactions acknowledged, {damage.lost} lost,"
            f" {damage.halves} by halves, {damage.seconds:.0f} s"
        )
    raise typer.Exit(int(damage.lost + damage.halves > 0))


if __name__ == "__main__":
    typer.run(main)
