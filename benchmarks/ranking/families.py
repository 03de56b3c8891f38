"""The kernels to rank: for each task, variants of which it is well known which is faster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.tasks import folder as task_folder
from tools.tasks.task import Task

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Pair:
    """Two variants of one task, and what the faster one does better."""

    family: str
    faster: str
    slower: str
    reason: str


VARIANTS: dict[str, tuple[str, ...]] = {
    "copy": ("vectorised", "baseline", "strided"),
    "transpose": ("padded", "conflicted", "baseline"),
    "reduction": ("shuffle", "shared", "baseline"),
    "matmul": ("blocked", "tiled", "baseline"),
    "histogram": ("privatised", "baseline"),
}
"""Kernel files of each task folder."""

PAIRS = (
    Pair("copy", "baseline", "strided", "coalesced before strided"),
    Pair("copy", "vectorised", "baseline", "16 bytes a thread before 4"),
    Pair("transpose", "padded", "conflicted", "a padded tile before one with bank conflicts"),
    Pair("transpose", "padded", "baseline", "a padded tile before strided stores"),
    Pair("reduction", "shuffle", "shared", "shuffles before a tree in shared memory"),
    Pair("reduction", "shared", "baseline", "a tree in shared memory before an atomic a thread"),
    Pair("matmul", "tiled", "baseline", "tiles in shared memory before none"),
    Pair("matmul", "blocked", "tiled", "sixteen results a thread before one"),
    Pair("histogram", "privatised", "baseline", "bins of each block before bins in global memory"),
)
"""What any GPU of the last years agrees on."""


def task(family: str) -> Task:
    """The task of a family, with its test cases and its benchmark shape."""
    return task_folder.load(FOLDER / family)


def kernel(family: str, variant: str) -> str:
    """The text of a kernel file."""
    return (FOLDER / family / f"{variant}.cu").read_text()
