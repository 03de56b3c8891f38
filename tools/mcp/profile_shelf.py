"""Whole profiles, beside their caller's tasks: an answer shows a dozen metrics of a launch, there are hundreds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

from tools.reports import ProfileReport
from tools.tasks.catalogue import TaskCatalogue

SCHEME = "warpwright://"
"""How the addresses of this server's resources begin."""
KEPT = 64
"""Profiles of one caller; the oldest go first."""
_KEY = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclasses.dataclass(frozen=True)
class ProfileShelf:
    """The profiles of one caller, by their content."""

    folder: Path

    @classmethod
    def of(cls, catalogue: TaskCatalogue) -> ProfileShelf | None:
        """Return the shelf of whoever may name these tasks; None where nothing of theirs can be kept."""
        return None if catalogue.own is None else cls(catalogue.own.parent / "profiles")

    def put(self, report: ProfileReport) -> str:
        """Keep a profile and return the address of its resource.

        Raises:
            OSError: The folder cannot be written.
        """
        text = json.dumps(dataclasses.asdict(report), indent=1)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, suffix=".new")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(temporary).replace(self.folder / f"{key}.json")
        self._prune()
        return f"{SCHEME}profiles/{key}"

    def read(self, key: str) -> str | None:
        """Return a profile as JSON; None where there is none of that key any more."""
        path = self.folder / f"{key}.json"
        return path.read_text() if _KEY.fullmatch(key) and path.is_file() else None

    def _prune(self) -> None:
        kept = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[KEPT:]:
            path.unlink(missing_ok=True)
