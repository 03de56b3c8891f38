"""What is remembered of one buffer in global memory: who wrote and who read each unit of it last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.ordering import NOBODY


@dataclass
class Watched:
    """Shadow of one buffer, by unit of `granularity` bytes.

    Attributes:
        writer, reader: The last agent to write and to read in this launch.
        atomic: Whether the last write was an atomic or volatile one.
        crowd: Whether other threads of the reader's block read too, in the same barrier interval.
        written: Whether anything was written in this run.
        itemsize: Bytes of an element, for messages.
    """

    start: int
    granularity: int
    writer: Array
    atomic: Array
    reader: Array
    crowd: Array
    written: Array
    itemsize: int

    def start_launch(self) -> None:
        """Launches are ordered: forget who did what, not what was written."""
        self.writer[:] = NOBODY
        self.reader[:] = NOBODY
        self.crowd[:] = False

    def element(self, unit: int) -> int:
        """The element that a unit belongs to."""
        return unit * self.granularity // self.itemsize

    def refine(self, granularity: int) -> None:
        """Remember smaller units from here on: something narrower was stored."""
        times = self.granularity // granularity
        self.granularity = granularity
        for name in ("writer", "atomic", "reader", "crowd", "written"):
            setattr(self, name, np.repeat(getattr(self, name), times))


def watch(start: int, nbytes: int, itemsize: int, *, written: bool) -> Watched:
    """A fresh shadow; `written` for buffers that hold data before the launch (inout)."""
    granularity = min(4, itemsize)
    units = -(-nbytes // granularity) + 16 // granularity
    return Watched(
        start=start,
        granularity=granularity,
        writer=np.full(units, NOBODY),
        atomic=np.zeros(units, dtype=np.bool_),
        reader=np.full(units, NOBODY),
        crowd=np.zeros(units, dtype=np.bool_),
        written=np.full(units, written, dtype=np.bool_),
        itemsize=itemsize,
    )
