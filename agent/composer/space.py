"""Every kernel that the composer can write for one task, by the features in use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

from agent.candidates import Parent
from agent.composer import matmul, row_reduction, transpose
from agent.composer.families import (
    Family,
    MatrixProduct,
    NotKnown,
    RowReduction,
    Transposition,
    recognise,
)
from agent.composer.nests import writing
from agent.composer.nests.arrays import NotExpressed
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

_FEATURES = re.compile(r"^// features: (.*)$", re.MULTILINE)
"""The line of a kernel file that says what it uses."""


class Space:
    """The variants for one task.

    Raises:
        UsageError: The composer does not know the task's family; the text says why, and what to do.
    """

    def __init__(self, task: Task) -> None:
        self._family = family = _family(task)
        self._writer = _writer(family, task)
        self.features: Features = self._writer.module.features(family)
        self._texts: dict[Features, str] = {}
        self._written: dict[str, Features] = {}
        self._settings: dict[Features, int] = {}
        try:
            self.text(())
        except ShapeError as error:
            raise UsageError(str(NotKnown(str(error)))) from error

    @property
    def family(self) -> str:
        """Name of the family, in words."""
        return self._writer.family

    def settle(self, features: Iterable[str]) -> Features:
        """Return the features that a kernel really uses when these are asked for."""
        return self._writer.options.of(name for name in features if name in self.features).features

    def text(self, features: Features) -> str:
        """Write the kernel file with these settled features."""
        if features not in self._texts:
            self._texts[features] = self._writer.module.emit(self._family, self._writer.options.of(features))
            self._written[kernel_sha(self._texts[features])] = features
        return self._texts[features]

    def settings(self, features: Features) -> int:
        """Return how many settings of its tunables a kernel with these settled features has."""
        if features not in self._settings:
            self._settings[features] = len(sweep(parse(self.text(features))))
        return self._settings[features]

    def features_in(self, kernel: Parent) -> Features | None:
        """Return the settled features of a kernel that the composer wrote; None for any other one."""
        named = _FEATURES.search(kernel.kernel)
        return self.features_of(kernel.sha, named[1].split(", ") if named else ())

    def features_of(self, sha: str | None, used: Iterable[str]) -> Features | None:
        """Return the settled features of a kernel by its sha256 and what it is said to use; None of any other one."""
        if sha not in self._written:
            self.text(self.settle(used))
        return self._written.get(sha or "")

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
            "for whole arrays, or configure a model with --model"
        ) from error


_LONG_ROW = 128
"""Elements from which on no thread takes a row of its own."""


@dataclass(frozen=True)
class _Writer:
    """What writes the kernels of a family, which options it takes, and the family's name in words."""

    module: Any
    options: type[Options]
    family: str


_WRITERS: dict[type[Family | NestProgram], _Writer] = {
    RowReduction: _Writer(row_reduction, RowOptions, "row program"),
    Transposition: _Writer(transpose, transpose.TransposeOptions, "transpose"),
    MatrixProduct: _Writer(matmul, matmul.MatmulOptions, "matrix product"),
    NestProgram: _Writer(writing, NestOptions, "program of nests"),
}


def _writer(family: Family | NestProgram, task: Task) -> _Writer:
    writer = _WRITERS[type(family)]
    if isinstance(family, RowReduction) and _has_long_rows(family, task):
        return replace(writer, options=LongRowOptions)
    return writer


def _has_long_rows(family: RowReduction, task: Task) -> bool:
    cases = task.benches or task.tests
    return any(expressions.parse(family.space[-1]).evaluate(case.dims) >= _LONG_ROW for case in cases)
