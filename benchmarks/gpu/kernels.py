"""The kernels that are judged, timed and counted: baselines, the best known ones, and the ranked ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.ranking import families
from tools import task_folder
from tools.task import Task

ROOT = Path(__file__).parents[2]
BEST = ROOT / "docs/results/best"
"""Kernels that searches found: a folder for each task, kernel files in it; need not be there."""


@dataclass(frozen=True)
class Entry:
    """One kernel file of one task; `group` tells tasks of one name apart."""

    group: str
    variant: str
    task: Task
    text: str


def entries(only: tuple[str, ...] = (), best: Path = BEST) -> list[Entry]:
    """Return the kernels, the ranked ones first; of these groups where some are named (`softmax`, `ranking/copy`)."""
    tasks = {path.name: task_folder.load(path) for path in sorted((ROOT / "examples/tasks").iterdir())}
    found = [Entry(name, "baseline", task, task.baseline) for name, task in tasks.items()]
    for name, task in tasks.items():
        kept = sorted((best / name).glob("*.cu")) if (best / name).is_dir() else []
        found += [Entry(name, path.stem, task, path.read_text()) for path in kept]
    for family, variants in families.VARIANTS.items():
        task = families.task(family)
        found += [Entry(f"ranking/{family}", name, task, families.kernel(family, name)) for name in variants]
    # The ranked ones first: where time runs out, whole groups are compared rather than halves of all.
    found.sort(key=lambda entry: not entry.group.startswith("ranking/"))
    return [entry for entry in found if not only or entry.group in only]
