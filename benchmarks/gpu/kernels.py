"""The kernels that are judged, timed and counted: baselines, the best known ones, and the ranked ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ranking import families
from tools.tasks import folder as task_folder
from tools.tasks.task import Task

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "examples/kernels"
"""Kernels that searches found (`benchmarks.gpu.variants`): a folder for each task, kernel files in it."""


@dataclass(frozen=True)
class Entry:
    """One kernel file of one task; `group` tells tasks of one name apart."""

    group: str
    variant: str
    task: Task
    text: str

    @property
    def sha(self) -> str:
        """What the text is recognised by: its sha256."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def entries(only: tuple[str, ...] = (), kernels: Path = FOUND) -> list[Entry]:
    """Return the kernels, group by group, the baseline first and the best one second.

    The ranked ones come first, for of those it is known which are faster.

    Args:
        only: These groups where some are named: `softmax`, `ranking/copy`.
        kernels: What searches found, in a folder for each task.
    """
    found: list[Entry] = []
    for family, variants in families.VARIANTS.items():
        task = families.task(family)
        found += [Entry(f"ranking/{family}", name, task, families.kernel(family, name)) for name in variants]
    for path in sorted((ROOT / "examples/tasks").iterdir()):
        task = task_folder.load(path)
        kept = sorted((kernels / path.name).glob("*.cu"), key=lambda file: (file.stem != "best", file.name))
        found.append(Entry(path.name, "baseline", task, task.baseline))
        found += [Entry(path.name, file.stem, task, file.read_text()) for file in kept]
    return [entry for entry in found if not only or entry.group in only]
