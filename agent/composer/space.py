"""Every kernel that the composer can write for one task, by the features in use."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

from agent.candidates import Parent
from agent.composer import row_reduction, transpose
from agent.composer.families import (
    Family,
    NotKnown,
    RowReduction,
    Transposition,
    recognise,
)
from agent.composer.nests import writing
from agent.composer.nests.arrays import NotExpressed
from agent.composer.nests.collectives.tiling.products import product_of
from agent.composer.nests.lowering import lowered
from agent.composer.nests.options import NestOptions
from agent.composer.nests.program import NestProgram
from agent.composer.nests.reading.following import FollowingError, follow
from agent.composer.options import Options
from agent.composer.row_options import LongRowOptions, RowOptions
from agent.composer.shapes import ShapeError
from agent.store.files import kernel_sha
from sandbox.errors import UsageError
from tools import expressions
from tools.kernel.file import parse, sweep
from tools.tasks.task import Task

Features = tuple[str, ...]


class Space:
    """The variants for one task.

    Raises:
        UsageError: The composer does not know the task's family; the text says why, and what to do.
    """

    def __init__(self, task: Task) -> None:
        self._family = family = _family(task)
        self._writer = _writer(family, task)
        self._texts: dict[Features, str] = {}
        self._written: dict[str, Features] = {}
        self._settings: dict[Features, int] = {}
        try:
            self.features: Features = self._writer.module.features(family)
            self.text(())
        except ShapeError as error:
            raise UsageError(str(NotKnown(str(error)))) from error

    @property
    def family(self) -> str:
        """Name of the family, in words."""
        return self._writer.family

    def within(self, library: Iterable[str]) -> Space:
        """Return the same without the features that are not in a library; all of it where there is none of them."""
        known = set(library)
        left = tuple(name for name in self.features if name in known)
        if not left or left == self.features:
            return self
        smaller = copy(self)
        smaller.features = left
        smaller.__dict__.pop("by_sha", None)  # it has fewer
        return smaller

    def settle(self, features: Iterable[str]) -> Features:
        """Return the features that a kernel really uses when these are asked for."""
        return self._writer.options.of(name for name in features if name in self.features).features

    def text(self, features: Features) -> str:
        """Write the kernel file with these settled features."""
        if features not in self._texts:
            text = self._writer.module.emit(self._family, self._writer.options.of(features))
            self._texts[features] = text
            self._written.setdefault(kernel_sha(text), features)
        return self._texts[features]

    def settings(self, features: Features) -> int:
        """Return how many settings of its tunables a kernel with these settled features has."""
        if features not in self._settings:
            self._settings[features] = len(sweep(parse(self.text(features))))
        return self._settings[features]

    def features_in(self, kernel: Parent) -> Features | None:
        """Return the settled features of a kernel that the composer wrote; None for any other one."""
        return self.features_of(kernel.sha, () if kernel.trial is None else kernel.trial.used)

    def features_of(self, sha: str | None, used: Iterable[str]) -> Features | None:
        """Return the settled features of a kernel by its sha, and by those that it is said to use.

        None where writing these gives another kernel, and none with that sha was written here.
        """
        if sha is None or sha in self._written:
            return self._written.get(sha or "")
        features = self.settle(used)
        return features if kernel_sha(self.text(features)) == sha else None

    @cached_property
    def by_sha(self) -> dict[str, Features]:
        """The settled features of every variant, by the sha256 of its kernel file: all are written for it."""
        found: dict[str, Features] = {}
        for count in range(len(self.features) + 1):
            for chosen in combinations(self.features, count):
                features = self.settle(chosen)
                found.setdefault(kernel_sha(self.text(features)), features)
        return found


def _family(task: Task) -> Family | NestProgram:
    """The family of a task, or else the nests that compute it."""
    family = recognise(task)
    if not isinstance(family, NotKnown):
        return family
    try:
        return lowered(task, follow(task))
    except (FollowingError, NotExpressed) as error:
        raise UsageError(
            f"the composer cannot write a kernel for {task.name}: {error}; write the reference with what NumPy has "
            "for whole arrays, judge kernels of your own with `warpwright check`, or configure a model with "
            "--model"
        ) from error


_LONG_ROW = 128
"""Elements from which on no thread takes a row of its own."""


@dataclass(frozen=True)
class _FamilyWriter:
    """What writes the kernels of a family, which options it takes, and the family's name in words."""

    module: Any
    options: type[Options]
    family: str


_WRITERS: dict[type[Family | NestProgram], _FamilyWriter] = {
    RowReduction: _FamilyWriter(row_reduction, RowOptions, "row program"),
    Transposition: _FamilyWriter(transpose, transpose.TransposeOptions, "transpose"),
    NestProgram: _FamilyWriter(writing, NestOptions, "program of nests"),
}


def _writer(family: Family | NestProgram, task: Task) -> _FamilyWriter:
    writer = _WRITERS[type(family)]
    if isinstance(family, NestProgram) and all(product_of(nest) for nest in family.nests):
        return replace(writer, family="matrix product")
    if isinstance(family, RowReduction) and _has_long_rows(family, task):
        return replace(writer, options=LongRowOptions)
    return writer


def _has_long_rows(family: RowReduction, task: Task) -> bool:
    cases = task.benches or task.tests
    return any(expressions.parse(family.space[-1]).evaluate(case.dims) >= _LONG_ROW for case in cases)
