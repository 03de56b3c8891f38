"""What is kept of a suite: what was asked, and which runs are its searches. A file in a folder of the home."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.home import Home
from agent.results import SearchRequest
from sandbox.errors import UsageError
from tools.tasks.suites import Suite, SuiteTask

_FILE = "suite.json"
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class SuiteSearch(BaseModel):
    """One search of a suite. `run` is None until it began; `problem` says why it could not be done, if so."""

    model_config = ConfigDict(frozen=True)
    task: str
    seed: int
    run: str | None = None
    problem: str = ""


class SuiteRecord(BaseModel):
    """A suite that was asked for.

    Attributes:
        request: What is asked of every search; its task is empty, its US dollars are for all searches together.
        searches: Task by task, seed by seed.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    summary: str
    created: float
    cards: tuple[str, ...]
    tasks: tuple[SuiteTask, ...]
    request: SearchRequest
    searches: tuple[SuiteSearch, ...]


@dataclass
class KeptSuite:
    """A suite and its file, which is written anew whenever something of it changes."""

    record: SuiteRecord
    folder: Path

    def change(self, task: str, seed: int, **changes: str) -> None:
        """Change one search, `run` or `problem`, and keep it."""
        searches = tuple(
            one.model_copy(update=changes) if (one.task, one.seed) == (task, seed) else one
            for one in self.record.searches
        )
        self.record = self.record.model_copy(update={"searches": searches})
        self.keep()

    def keep(self) -> None:
        """Write the file; whoever reads it meanwhile finds it as it was."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, suffix=".new")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.record.model_dump_json(indent=1))
        Path(temporary).replace(self.folder / _FILE)


def begin(suite: Suite, request: SearchRequest, seeds: int, home: Home) -> KeptSuite:
    """Keep a new suite, with searches that are still to begin.

    Args:
        suite: Which tasks.
        request: What to ask of every search.
        seeds: Searches of each task; they begin with seeds 1, 2, ...
        home: Where it is kept.
    """
    now = time.time()
    name = re.sub(r"[^A-Za-z0-9_]+", "_", suite.name)[:40] or "suite"
    date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d")
    record = SuiteRecord(
        id=f"{name}-{date}-{secrets.token_hex(3)}",
        name=suite.name,
        summary=suite.summary,
        created=now,
        cards=suite.cards,
        tasks=suite.tasks,
        request=request,
        searches=tuple(
            SuiteSearch(task=one.task, seed=seed) for seed in range(1, seeds + 1) for one in suite.tasks
        ),
    )
    kept = KeptSuite(record, home.suites / record.id)
    kept.keep()
    return kept


def find(name: str, home: Home) -> KeptSuite | None:
    """Return a suite that was asked for before, by its id; None where there is none.

    Raises:
        UsageError: Its file cannot be read.
    """
    folder = home.suites / name
    if _ID.fullmatch(name) is None or not (folder / _FILE).is_file():
        return None
    try:
        text = (folder / _FILE).read_text(encoding="utf-8")
        return KeptSuite(SuiteRecord.model_validate_json(text), folder)
    except (OSError, ValidationError) as error:
        raise UsageError(f"{folder / _FILE} cannot be read: {str(error).splitlines()[0]}") from None
