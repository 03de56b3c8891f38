"""A reference held against the module that it was translated from: the same inputs, the same answers in float64."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.importing.graphs.comparing import Answered, difference
from agent.importing.graphs.drafts import GraphDraft
from sandbox.device import Array
from sandbox.errors import UsageError
from sandbox.reference.service import References
from sandbox.torch_graphs.graph import EvaluateCall, ExportCall, ExportFault
from sandbox.torch_graphs.service import TorchGraphs
from tools.judge.oracle import TaskOracle
from tools.judge.questions import Question
from tools.reports import sizes_text
from tools.tasks.task import Task, WholeTask

_SEEDS = (11, 12)


@dataclass(frozen=True)
class NotImported:
    """Why there is no task.

    Attributes:
        line: Of the file, where known.
    """

    reason: str
    line: int | None = None


class Holding:
    """Asks the reference and the module, in workers of their own."""

    def __init__(self, graphs: TorchGraphs, references: References) -> None:
        """Use these workers; whoever made them ends them."""
        self._graphs = graphs
        self._references = references

    async def both(
        self,
        call: ExportCall,
        made: GraphDraft,
        task: WholeTask,
        outputs: tuple[str, ...] = (),
        example: Mapping[str, int] | None = None,
    ) -> Answered | NotImported:
        """Return answers of the reference and of the module for the same inputs; they must be the same.

        Args:
            call: What was exported.
            made: What the task was drafted as.
            task: Of which the first tests and what was captured are tried.
            outputs: Of a part of the module, the nodes that it computes; else empty.
            example: Sizes for what the task leaves open.

        Raises:
            WorkerError: The environment failed.
        """
        oracle = TaskOracle(somewhere(task), self._references)
        found: list[tuple[Question, tuple[Array, ...]]] = []
        for case in (*task.tests[:3], *task.captured):
            for seed in _SEEDS:
                try:
                    question = await oracle.question(case, seed)
                except UsageError as error:
                    return NotImported(f"its translation fails at {sizes_text(case.dims)}: {error}")
                inputs = {made.inputs[name]: array for name, array in _given(question, task).items()}
                sizes = {**(example or {}), **made.symbol_sizes(case.dims)}
                answer = await self._graphs.evaluate(EvaluateCall(call, sizes, inputs, outputs))
                if isinstance(answer, ExportFault):
                    return NotImported(answer.message, answer.line)
                for expected, got in zip(question.expected, answer.outputs, strict=True):
                    fault = difference(expected.values, got, expected.magnitude)
                    if fault:
                        at = sizes_text(case.dims)
                        return NotImported(
                            f"its translation computes something else than the module at {at}: {fault}"
                        )
                found.append((question, answer.outputs))
        return found


def somewhere(task: WholeTask) -> Task:
    """The same task as one that was read from a folder."""
    sha = hashlib.sha256(repr(task).encode()).hexdigest()
    return Task(**vars(task), folder=Path(), sha=sha)


def _given(question: Question, task: WholeTask) -> dict[str, Array]:
    scalars = {name: np.asarray(value) for name, value in question.scalars.items()}
    return {**question.inputs, **scalars}
