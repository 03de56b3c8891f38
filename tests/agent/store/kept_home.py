"""Homes of earlier versions, kept to be opened by later ones.

`fixtures/before_version_N.tar.xz` is the home of the last commit whose database had N - 1 migrations behind it. Before
adding migration N, run `python -m tests.agent.store.kept_home N` with the code that lacks it. The three searches in a
home are real ones, of the built-in composer and of a chat model, on the simulator: one ended, one was killed while its
second candidate was judged, one while the second candidate of its second round was written.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from agent.events import CandidateJudged, Event, StageFinished
from agent.home import Home
from agent.results import SearchRequest
from agent.search.starting import start_search
from tests.agent.model_server import Answer, Question, serving
from tests.agent.quick_task import quick_task

FIXTURES = Path(__file__).with_name("fixtures")
_HERE = "@HOME@"
_KEPT = ("warpwright.db", "checkpoints.db", "runs", "tasks")
_LAUNCH = "//@ launch add<<<ceil_div(n, 256), 256>>>(x, y, out, n)\n"
_SIGNATURE = "__global__ void add(const float* x, const float* y, float* out, int n) {\n"
_INDEX = "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"


def reply(body: str) -> str:
    """Return a coder's reply for the kept homes' task."""
    return f"Here it is.\n```cuda\n{_LAUNCH}{_SIGNATURE}{_INDEX}{body}}}\n```\n"


def unpack(kept: Path, home: Home) -> None:
    """Make a kept home anew, in a folder of its own."""
    home.root.mkdir(parents=True)
    with tarfile.open(kept) as archive:
        archive.extractall(home.root, filter="data")
    with closing(sqlite3.connect(home.database)) as connection, connection:
        where = "UPDATE runs SET task_folder = replace(task_folder, ?, ?)"
        connection.execute(where, (_HERE, str(home.root)))


def pack(home: Home, kept: Path) -> None:
    """Keep a home; only the folder it lay in is forgotten."""
    for database in (home.database, home.checkpoints):
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            if database == home.database:
                where = "UPDATE runs SET task_folder = replace(task_folder, ?, ?)"
                connection.execute(where, (str(home.root), _HERE))
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with tarfile.open(kept, "w:xz") as archive:
        for name in _KEPT:
            archive.add(home.root / name, name)


async def _ended(home: Home) -> None:
    await start_search(_request(depth=1), home=home)


async def _killed_while_judged(home: Home) -> None:
    judged = False

    def listen(event: Event) -> None:
        nonlocal judged
        if isinstance(event, StageFinished) and judged and event.stage != "coder":
            os.kill(os.getpid(), signal.SIGKILL)
        judged = judged or isinstance(event, CandidateJudged)

    await start_search(_request(depth=1), home=home, on_event=listen)


async def _killed_while_written(home: Home) -> None:
    coders = 0

    def answer(question: Question) -> Answer:
        nonlocal coders
        if question.role == "planner":
            return '[{"features": ["vectorized_loads"], "why": "wide"}, {"features": ["loop_unrolling"]}]'
        if question.role == "critic":
            return '{"text": "Memory traffic decides here.", "features": ["grid_stride_loop"]}'
        coders += 1
        if coders == 1:
            return reply("  if (i < n) out[i] = x[i] + z[i];\n")
        if coders == 4:
            time.sleep(3)  # until candidate 1 of this round is written
            os.kill(os.getpid(), signal.SIGKILL)
        return reply(f"  // version {coders}\n  if (i < n) out[i] = x[i] + y[i];\n")

    with serving(answer) as server:
        await start_search(_request(depth=2, model="some-model", base_url=server.url), home=home)


_SEARCHES = {search.__name__: search for search in (_ended, _killed_while_judged, _killed_while_written)}


def _request(depth: int, **more: str) -> SearchRequest:
    asked = {"task": "small_add", "device": "sim:h200", "candidates": 2, "depth": depth, "seed": 6, **more}
    return SearchRequest.model_validate(asked)


def make(home: Home, environment: Mapping[str, str]) -> None:
    """Run the three searches, each in a process that may be killed."""
    folder = quick_task(home.tasks).rename(home.tasks / "small_add")
    toml = folder / "task.toml"
    toml.write_text(toml.read_text().replace('"vector_add"', '"small_add"'))
    for name in _SEARCHES:
        command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, str(home.root), name]
        subprocess.run(command, env=environment, check=name == "_ended", timeout=300)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        asyncio.run(_SEARCHES[sys.argv[2]](Home(Path(sys.argv[1]))))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            made = Home(Path(temporary) / "home")
            make(made, {**os.environ, "NO_PROXY": "127.0.0.1"})
            pack(made, FIXTURES / f"before_version_{int(sys.argv[1])}.tar.xz")
