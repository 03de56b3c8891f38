"""A store of 10,000 runs and 500,000 candidates: `python -m benchmarks.store_load [--runs 10000] [--json]`.

One search of the composer is real: 5 candidates, judged on the simulator, each kept with an answer as a chat model
gives it. Its rows are written again and again inside the database, as runs of so many rounds each. Then what commands
and MCP tools ask is asked for runs drawn by chance, and timed until there is an answer to print or to send. The
database is a file, or the one that WARPWRIGHT_DATABASE names; it has to be empty.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    LargeBinary,
    Table,
    Text,
    case,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    type_coerce,
)

from agent.cli.output import print_json, table
from agent.home import Home
from agent.mcp.search_service import SearchService
from agent.proposer import Proposer
from agent.report.reading import read_account
from agent.results import SearchRequest
from agent.search.starting import start_search
from agent.store import Store
from agent.store.address import database_of
from agent.store.database import Database
from agent.store.replies import Reply, ReplyKey
from agent.store.tables import candidates, events, replies, reports, runs
from benchmarks.long_search import StandIn
from tools.toolbox import Toolbox

ALLOWED_MS = 50.0
"""The median of each answer that a person or a client waits for."""
A_ROUND = 5
_AT_ONCE = 200
"""Runs that are written in one transaction."""
_APART_S = 60.0


@dataclass(frozen=True)
class Waited:
    """How long an answer took: milliseconds of wall time, and of this process's processor time at the median.

    Attributes:
        bound: Whether people wait for it, so that its median has a bound.
    """

    question: str
    asked: int
    median_ms: float
    p95_ms: float
    processor_ms: float
    bound: bool = True


@dataclass(frozen=True)
class Load:
    """What a store held, and how fast it answered."""

    engine: str
    runs: int
    candidates: int
    written_s: float
    stored_mb: float
    waited: list[Waited]

    @property
    def slow(self) -> list[str]:
        """The questions whose median is beyond the bound."""
        return [one.question for one in self.waited if one.bound and one.median_ms > ALLOWED_MS]


async def one_search(home: Home, toolbox: Toolbox | None = None, proposer: Proposer | None = None) -> str:
    """Run the search whose rows are multiplied, on the simulator or by a stand-in, and return its run."""
    request = SearchRequest(task="vector_add", device="sim:h200", candidates=A_ROUND, depth=1, seed=1)
    return (await start_search(request, home=home, toolbox=toolbox, proposer=proposer)).run


def keep_replies(home: Home, run: str) -> None:
    """Give a searched run the answers that it would have of a chat model: the text of each kernel."""
    store = Store(home)
    for trial in store.get_result(run).candidates:
        reply = Reply(store.kernels.read(run, trial.sha or ""), model="m", variant="plain")
        store.replies(run).keep(ReplyKey(trial.round, trial.candidate, "coder", trial.sha or ""), reply)


def multiply(home: Home, run: str, count: int, rounds: int) -> list[str]:
    """Write a run again, so many times and with its round so many times in each; return the names."""
    database = Database(database_of(home))
    for first in range(1, count + 1, _AT_ONCE):
        last = min(count, first + _AT_ONCE - 1)
        with database.write("runs") as connection:
            _write(connection, run, (first, last), rounds)
    with database.write("runs") as connection:
        connection.exec_driver_sql("ANALYZE")
    return [f"{run}-{number}" for number in range(1, count + 1)]


def _write(connection: Connection, run: str, of: tuple[int, int], rounds: int) -> None:
    runs_made, rounds_made = _numbers("number", *of), _numbers("more", 0, rounds - 1)
    number, more = runs_made.c.n, rounds_made.c.n
    name = literal(f"{run}-", Text) + cast(number, Text)
    created = runs.c.created + _APART_S * number
    source = runs.join(runs_made, true())
    _copy(connection, source, runs, {"id": name, "created": created}, runs.c.id == run)
    changed = candidates.c.sha, cast(number * 1000 + more, Text)
    _copy(
        connection,
        candidates.join(runs_made, true()).join(rounds_made, true()),
        candidates,
        {
            "run": name,
            "round": candidates.c.round + more,
            "sha": case((more == 0, changed[0]), else_=changed[1] + func.substr(*changed[:1], 9)),
            "latency_us": candidates.c.latency_us * (1 + more / 100.0),
        },
        (candidates.c.run == run) & or_(candidates.c.round > 0, more == 0),
    )
    _copy(
        connection,
        reports.join(runs_made, true()).join(rounds_made, true()),
        reports,
        {"run": name, "round": reports.c.round + more, "report": type_coerce(reports.c.report, LargeBinary)},
        (reports.c.run == run) & or_(reports.c.round > 0, more == 0),
    )
    _copy(
        connection,
        replies.join(runs_made, true()).join(rounds_made, true()),
        replies,
        {"run": name, "round": replies.c.round + more},
        (replies.c.run == run) & or_(replies.c.round > 0, more == 0),
    )
    last = select(func.max(events.c.number)).where(events.c.run == run).scalar_subquery()
    said = func.replace(events.c.event, run, name)
    _copy(
        connection,
        events.join(runs_made, true()).join(rounds_made, true()),
        events,
        {
            "run": name,
            "number": events.c.number + last * more,
            "event": func.replace(said, '"round":1', literal('"round":', Text) + cast(more + 1, Text)),
        },
        (events.c.run == run) & or_(events.c.event.contains('"round":1'), more == 0),
    )


def _numbers(name: str, first: int, last: int) -> CTE:
    """Return a table of numbers, which both engines count."""
    counted = select(literal(first).label("n")).cte(name, recursive=True)
    return counted.union_all(select(counted.c.n + 1).where(counted.c.n < last))


def _copy(
    connection: Connection,
    source: FromClause,
    rows: Table,
    changed: dict[str, ColumnElement[Any]],
    which: ColumnElement[bool],
) -> None:
    """Write the rows of a table again, each for all numbers beside it, with what is changed of them."""
    kept = [column for column in rows.c if column.name != "rowid"]
    chosen = select(*(changed.get(column.name, column) for column in kept)).select_from(source).where(which)
    connection.execute(insert(rows).from_select([column.name for column in kept], chosen))


def keep_kernels(home: Home, run: str, names: list[str]) -> None:
    """Give runs the kernels of the one whose rows they have."""
    for name in names:
        shutil.copytree(home.runs / run, home.runs / name, dirs_exist_ok=True)


def questions(home: Home) -> dict[str, Callable[[str], object]]:
    """Return what is asked of a run by the commands and tools of these names."""
    store = Store(home)

    def service() -> SearchService:
        return SearchService(home, StandIn())

    known = service()

    return {
        "warpwright runs": lambda _: store.list_runs(20),
        "warpwright show": lambda run: (store.get_run(run), store.get_result(run)),
        "warpwright report": lambda run: read_account(store, run),
        "list_searches": lambda _: asyncio.run(known.listing(100)),
        "search_status": lambda run: asyncio.run(known.status(run)),
        "search_status, again": lambda run: asyncio.run(known.status(run)),
        "search_result": lambda run: asyncio.run(known.outcome(run)),
    }


def beside(home: Home) -> dict[str, Callable[[str], object]]:
    """Return what is asked of the whole store, by nobody who waits."""
    store = Store(home)
    return {
        "credit, as a search begins": lambda _: store.credits.latest(),
        "how models wrote, once a search": lambda run: store.replies(run).writers(2),
        "totals, for metrics": lambda _: store.totals(),
        "a kernel by its name": lambda _: store.runs.kernels("12345"),
        "warpwright stats": lambda _: (
            store.credits.earned(),
            store.credits.models(),
            store.credits.prompts(),
        ),
    }


def _timed(question: str, ask: Callable[[str], object], names: list[str], *, bound: bool) -> Waited:
    took: list[float] = []
    worked: list[float] = []
    for run in names:
        began, work = time.perf_counter(), time.process_time()
        ask(run)
        took.append(1e3 * (time.perf_counter() - began))
        worked.append(1e3 * (time.process_time() - work))
    p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    return Waited(question, len(took), statistics.median(took), p95, statistics.median(worked), bound)


def measure(home: Home, count: int, rounds: int, asked: int) -> Load:
    """Fill a store and ask it."""
    run = asyncio.run(one_search(home))
    keep_replies(home, run)
    began = time.perf_counter()
    names = multiply(home, run, count, rounds)
    written = time.perf_counter() - began
    drawn = random.Random(1).sample(names, min(asked, count))
    keep_kernels(home, run, drawn)
    waited = [_timed(name, ask, drawn, bound=True) for name, ask in questions(home).items()]
    waited += [_timed(name, ask, drawn[:1], bound=False) for name, ask in beside(home).items()]
    database = Database(database_of(home))
    with database.read() as connection:
        size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        query = size if database.is_file else "SELECT pg_database_size(current_database())"
        stored = int(connection.exec_driver_sql(query).scalar_one()) / 1e6
        judged = connection.execute(select(func.count()).where(candidates.c.round > 0)).scalar_one()
    engine = "sqlite" if database.is_file else "postgresql"
    return Load(engine, count + 1, judged, written, stored, waited)


def main(
    runs: Annotated[int, typer.Option(min=1)] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, max=999, help=f"Of {A_ROUND} candidates.")] = 10,
    asked: Annotated[int, typer.Option(min=1, help="Runs that are asked for.")] = 200,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Fill a store and print how long it takes to answer; fails where a median is beyond 50 ms."""
    with tempfile.TemporaryDirectory(prefix="warpwright-load-") as folder:
        load = measure(Home(Path(folder)), runs, rounds, asked)
    if as_json:
        print_json(asdict(load))
    else:
        made = table("!asked", ">times", ">median ms", ">95% ms", ">processor ms")
        for one in load.waited:
            said = (f"{value:.1f}" for value in (one.median_ms, one.p95_ms, one.processor_ms))
            made.add_row(one.question, str(one.asked), *said)
        typer.echo(
            f"{load.engine}: {load.runs:,} runs, {load.candidates:,} candidates, written in {load.written_s:.0f} s,"
            f" {load.stored_mb:,.0f} MB; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )
        Console(width=120, highlight=False).print(made)
    raise typer.Exit(int(bool(load.slow)))


if __name__ == "__main__":
    typer.run(main)
