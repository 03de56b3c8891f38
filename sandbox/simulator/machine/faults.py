"""How a step stops a run, and how the place is described."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.machine.lanes import Geometry
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.verdict import Verdict


class FaultError(Exception):
    """Ends the run; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True)
class Batch:
    """Where the machine is: the launched kernel, its geometry, and the blocks of the batch, shape (B,)."""

    kernel: str
    geometry: Geometry
    blocks: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a value that differs in every lane."""
        return (self.geometry.rows, self.geometry.columns, len(self.blocks))

    def first(
        self, lanes: Array
    ) -> tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int], int]:
        """The first true lane: (axes index, blockIdx, threadIdx, how many lanes are true).

        Args:
            lanes: bool, broadcastable to (rows, columns, B).
        """
        full = np.broadcast_to(lanes, self.shape)
        order = np.argsort(self.blocks)
        block_first = np.moveaxis(full, 2, 0)[order]
        position = int(np.argmax(block_first.reshape(-1)))
        b, row, column = (int(i) for i in np.unravel_index(position, block_first.shape))
        thread = self.geometry.thread_coordinates(row * self.geometry.columns + column)
        block = self.geometry.block_coordinates(int(self.blocks[order[b]]))
        return (row, column, int(order[b])), block, thread, int(np.count_nonzero(full))

    def coordinates(self, block: int, thread: int) -> tuple[str, str]:
        """`blockIdx` and `threadIdx` of linear ones, as text."""
        return _triple(self.geometry.block_coordinates(block)), _triple(
            self.geometry.thread_coordinates(thread)
        )

    def fault(
        self,
        verdict: Verdict,
        what: str,
        instruction: Instruction | None,
        lanes: Array | None = None,
        agent: tuple[int, int] | None = None,
    ) -> Fault:
        """Describe a fault: `what`, then line, block and thread of the first of `lanes`, or of an agent.

        Args:
            verdict: Of the fault.
            what: What happened, without the place.
            instruction: Where in the source.
            lanes: Who did it, bool, broadcastable to (rows, columns, B).
            agent: Who did it where lanes do not say: linear block and thread.
        """
        fault = Fault(verdict, what, kernel=self.kernel)
        where = f"kernel {self.kernel}"
        if instruction is not None:
            where += f", line {instruction.line}" if instruction.line is not None else ""
            fault = replace(fault, line=instruction.line, instruction=instruction.text)
        if lanes is not None:
            _, block, thread, count = self.first(lanes)
            where += f", block {_triple(block)}, thread {_triple(thread)}"
            where += f" and {count - 1} more threads of the same batch" if count > 1 else ""
            fault = replace(fault, block=block, thread=thread, threads=count)
        elif agent is not None:
            block = self.geometry.block_coordinates(agent[0])
            thread = self.geometry.thread_coordinates(agent[1])
            where += f", block {_triple(block)}, thread {_triple(thread)}"
            fault = replace(fault, block=block, thread=thread, threads=1)
        return replace(fault, message=f"{what} ({where})")


def _triple(value: tuple[int, int, int]) -> str:
    return f"({value[0]}, {value[1]}, {value[2]})"
