"""The stored corpus: for each target a zip of the texts that reach what no other reaches."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fuzzing.targets import Target

FOLDER = Path(__file__).with_name("corpus")
_SHORT = 1024
"""Bytes of a text that is kept: longer ones are mostly seeds with a letter changed."""
_WHEN = (2026, 1, 1, 0, 0, 0)
"""Of every member, so that the same texts make the same file."""


def stored(target: Target) -> Iterator[bytes]:
    """Return the texts that are kept for a target."""
    path = FOLDER / f"{target.name}.zip"
    if path.exists():
        with zipfile.ZipFile(path) as kept:
            yield from (kept.read(name) for name in kept.namelist())


def unpack(target: Target, folder: Path) -> None:
    """Write what a target begins with into a folder: its seeds and what is kept."""
    for data in [*(text.encode() for text in target.seeds()), *stored(target)]:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def keep(target: Target, folder: Path) -> int:
    """Keep the short texts of a folder that are no seeds in the place of those before; return how many."""
    seeds = {text.encode() for text in target.seeds()}
    found = {path.read_bytes() for path in folder.iterdir()} - seeds
    texts = sorted((one for one in found if len(one) <= _SHORT), key=lambda one: (len(one), one))
    with zipfile.ZipFile(FOLDER / f"{target.name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as kept:
        for data in texts:
            name = hashlib.sha256(data).hexdigest()[:16]
            kept.writestr(zipfile.ZipInfo(name, _WHEN), data, zipfile.ZIP_DEFLATED)
    return len(texts)
