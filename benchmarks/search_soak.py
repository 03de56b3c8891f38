"""Searching without a pause, days of it in minutes: what grows that should not?

    python -m benchmarks.search_soak [--minutes 10] [--at-once 2] [--an-hour 600] [--json]

A supervisor does search after search in this process, as on a server: its model is a scripted endpoint that answers
over HTTP, and its tools are a stand-in, so that nothing waits for kernels. Printed is how many days of searching that
is at so many candidates an hour, and for each quarter of the time what the process held at its end and what a
candidate left on the disk. The database is a file, or the one that WARPWRIGHT_DATABASE names (its size is not added).
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cli.output import print_json, table
from agent.home import Home
from agent.models import opening
from agent.results import SearchRequest
from agent.store import Store
from agent.store.jobs import JobState, NewJob
from agent.supervisor.supervising import supervise
from agent.supervisor.work import SEARCHES, SearchJob
from benchmarks.kills.endpoint import serving
from benchmarks.long_search import StandIn

_CANDIDATES, _ROUNDS = 8, 4
_LOOK_S = 0.2
_MEMORY_MIB, _SHARE = 16.0, 0.1
"""What memory may grow by from the end of the first quarter to that of the last: so much, or such a share of it."""
_DESCRIPTORS = 8
_DISK = 1.25
"""How much more a candidate of the last quarter may leave than one of the first."""


@dataclass(frozen=True)
class Held:
    """What was there at one time.

    Attributes:
        candidates: Judged since the beginning.
        memory_mib: Resident in the process that searches.
        disk_kb: Of the home, kB of 1000 bytes.
    """

    seconds: float
    searches: int
    candidates: int
    memory_mib: float
    descriptors: int
    threads: int
    disk_kb: float


@dataclass(frozen=True)
class Soaked:
    """What a soak found: what was held at the start and at the end of each quarter."""

    held: tuple[Held, ...]
    days: float
    failed: int

    @property
    def disk_kb_a_candidate(self) -> list[float]:
        """What a candidate of each quarter left on the disk."""
        return [
            (after.disk_kb - before.disk_kb) / max(1, after.candidates - before.candidates)
            for before, after in pairwise(self.held)
        ]

    @property
    def grew(self) -> list[str]:
        """What grew that should not."""
        first, last = self.held[1], self.held[-1]
        disk = self.disk_kb_a_candidate
        found = {
            "memory": last.memory_mib - first.memory_mib > max(_MEMORY_MIB, _SHARE * first.memory_mib),
            "descriptors": last.descriptors - first.descriptors > _DESCRIPTORS,
            "threads": last.threads - first.threads > _DESCRIPTORS,
            "disk": disk[-1] > _DISK * disk[0],
            "failures": self.failed > 0,
        }
        return [name for name, is_so in found.items() if is_so]


def _held(home: Home, began: float) -> Held:
    gc.collect()
    status = Path("/proc/self/status").read_text().splitlines()
    (resident,) = (int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    (threads,) = (int(line.split()[1]) for line in status if line.startswith("Threads"))
    store = Store(home)
    found = store.totals()
    return Held(
        seconds=time.monotonic() - began,
        searches=found.runs.get("completed", 0),
        candidates=sum(count for verdict, count in found.candidates.items() if verdict != "unjudged"),
        memory_mib=resident / 1024,
        descriptors=len(os.listdir("/proc/self/fd")),
        threads=threads,
        disk_kb=sum(_size(path) for path in home.root.rglob("*")) / 1000,
    )


def _size(path: Path) -> int:
    """Return what a file takes on the disk, in bytes; nothing for one that is gone by now."""
    with suppress(OSError):
        return path.stat().st_blocks * 512
    return 0


async def soak(home: Home, base_url: str, minutes: float, at_once: int) -> tuple[tuple[Held, ...], int]:
    """Search for so many minutes; return what was held, first and after each quarter, and how many jobs failed."""
    stop, table_of_jobs = asyncio.Event(), Store(home).jobs
    working = asyncio.create_task(supervise(home, stop, idle_s=600, make=lambda device: StandIn()))
    began, number = time.monotonic(), 0
    held = [await asyncio.to_thread(_held, home, began)]
    waiting: set[str] = set()
    failed = 0
    while len(held) <= 4:
        for job in list(waiting):
            stored = await asyncio.to_thread(table_of_jobs.get, job)
            # One that reads as interrupted goes on: this process had no processor for a minute to say that it lives.
            if stored.state.ended and stored.state is not JobState.INTERRUPTED:
                waiting.remove(job)
                if stored.state != "completed":
                    failed += 1
                    sys.stderr.write(f"job {job} {stored.state}: {stored.error}\n")
        while len(waiting) < at_once:
            number += 1
            add = partial(table_of_jobs.add, _job(base_url, number), most=64, kinds=SEARCHES)
            waiting.add(await asyncio.to_thread(add))
        await asyncio.sleep(_LOOK_S)
        if time.monotonic() - began > minutes * 60 * len(held) / 4:
            held.append(await asyncio.to_thread(_held, home, began))
    stop.set()
    await working
    return tuple(held), failed


def _job(base_url: str, number: int) -> NewJob:
    request = SearchRequest(
        task="vector_add",
        device="sim:h200",
        model="m",
        base_url=base_url,
        candidates=_CANDIDATES,
        depth=_ROUNDS,
        seed=number,
    )
    return NewJob("search", SearchJob(request=request).model_dump_json(), "sim:h200")


def main(
    minutes: Annotated[float, typer.Option(min=0.05)] = 10.0,
    at_once: Annotated[int, typer.Option(min=1, max=8, help="Searches.")] = 2,
    an_hour: Annotated[
        float, typer.Option(help="Candidates that searching takes an hour for otherwise.")
    ] = 600,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Search without a pause and print what grew; fails where something did that should not."""
    os.environ |= {"NO_PROXY": "127.0.0.1", "OPENAI_API_KEY": "none"}
    assert opening.ChatModels, "imported before the endpoint is forked"
    with serving() as endpoint, tempfile.TemporaryDirectory(prefix="warpwright-soak-") as folder:
        held, failed = asyncio.run(soak(Home(Path(folder)), endpoint.url, minutes, at_once))
    soaked = Soaked(held, held[-1].candidates / an_hour / 24, failed)
    if as_json:
        print_json({**asdict(soaked), "disk_kb_a_candidate": soaked.disk_kb_a_candidate, "grew": soaked.grew})
    else:
        _show(soaked, an_hour)
    raise typer.Exit(int(bool(soaked.grew)))


def _show(soaked: Soaked, an_hour: float) -> None:
    last = soaked.held[-1]
    typer.echo(
        f"{last.searches} searches, {last.candidates:,} candidates in {last.seconds / 60:.1f} minutes:"
        f" {soaked.days:.2f} days at {an_hour:.0f} candidates an hour; failed {soaked.failed}"
    )
    heads = ("minutes", "candidates", "memory MiB", "descriptors", "threads", "disk MB", "kB a candidate")
    made = table(*(f">{head}" for head in heads))
    for one, disk in zip(soaked.held, [None, *soaked.disk_kb_a_candidate], strict=True):
        made.add_row(
            *(f"{one.seconds / 60:.1f}", f"{one.candidates:,}", f"{one.memory_mib:.0f}"),
            *(str(one.descriptors), str(one.threads), f"{one.disk_kb / 1000:.1f}"),
            "" if disk is None else f"{disk:.1f}",
        )
    Console(width=120, highlight=False).print(made)
    typer.echo(f"grew: {', '.join(soaked.grew) or 'nothing that should not'}")


if __name__ == "__main__":
    typer.run(main)
