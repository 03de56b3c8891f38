"""What is remembered of one buffer in global memory: who wrote and who read each unit of it last."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.order import NOBODY
from sandbox.simulator.machine.memory import Arena

MANY = np.int64(-2)
"""In place of a reader: threads of several blocks, which `Watched.others` lists."""
ALL = np.int64(-3)
"""In place of a reader: too many to list."""
MIXED = np.uint8(255)
"""In place of how they read, where they did so in several ways."""
NONE, SEVERAL = -1, -2
WEAK, LOOK, STRONG, WAITS, CHANGE, ADDS, SETS = 0, 1, 2, 5, 8, 16, 32
"""How an access was made: STRONG plus its scope (WAITS for loads that a loop waits for), CHANGE more for `atom` and
`red`, ADDS or SETS more for those whose old value nobody looks at."""


@dataclass
class Watched:
    """Shadow of one buffer, by unit of `granularity` bytes. What nobody has asked for yet takes no memory.

    Attributes:
        writer: The last agent to write in this launch.
        written: Whether anything was written in this run.
        others: Readers of units that threads of several blocks read: unit, agent, how and by which instruction.
        latest: Each block's last agent among `others`, also those that were too many to list; NOBODY for none.
        strong: Whether any unit was written by a strong access in this launch: `manner` and `second` count only then.
        read: Whether anything was read in this launch: `reader` and what is beside it count only then.
        itemsize: Bytes of an element, for messages.
        replicas: How many buffers this is the shadow of, those of as many grids, one after the other.
    """

    start: int
    granularity: int
    writer: Array
    written: Array
    itemsize: int
    replicas: int = 1
    others: Array = field(default_factory=lambda: np.zeros((4, 0), np.int64))
    latest: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    strong: bool = False
    read: bool = False
    _only_writer: int | None = None

    @cached_property
    def second(self) -> Array:
        """The last atomic operation of another thread than `writer`'s that nothing wrote since; NOBODY for none."""
        return np.full(len(self.writer), NOBODY)

    @cached_property
    def manner(self) -> Array:
        """How a unit was written last: WEAK, or STRONG and more."""
        return np.zeros(len(self.writer), np.uint8)

    @cached_property
    def _written_by(self) -> Array:
        return np.zeros(len(self.writer), np.int32)

    @cached_property
    def reader(self) -> Array:
        """The last agent to read in this launch."""
        return np.full(len(self.writer), NOBODY)

    @cached_property
    def reading(self) -> Array:
        """How a unit was read last: WEAK, LOOK, or STRONG and more."""
        return np.zeros(len(self.writer), np.uint8)

    @cached_property
    def read_by(self) -> Array:
        """By which instruction a unit was read last: a number of `Instructions`."""
        return np.zeros(len(self.writer), np.int32)

    @cached_property
    def crowd(self) -> Array:
        """Who else read since, not ordered after the reader: 1 for lanes of its warp, 2 for threads of its block."""
        return np.zeros(len(self.writer), np.uint8)

    @cached_property
    def cached(self) -> Array:
        """The only block that read a unit by a weak load in this launch; NONE for none, SEVERAL for several."""
        return np.full(len(self.writer), NONE, np.int32)

    @property
    def each(self) -> int:
        """Units of one replica."""
        return len(self.writer) // self.replicas

    def unit(self, arena: Arena, located: Array) -> Array:
        """The units that located bytes of the buffer lie in."""
        unit = (arena.offsets(located) - self.start) // self.granularity
        return unit if self.replicas == 1 else unit + located // arena.extent * self.each

    def byte(self, unit: int) -> int:
        """Where in the buffer a unit lies."""
        return unit % self.each * self.granularity

    def write(self, unit: Array, agent: Array, number: int) -> None:
        """Agents have written units by the instruction of this number."""
        self.writer[unit] = agent
        self.written[unit] = True
        if self._only_writer is None:
            self._only_writer = number
        elif self._only_writer not in {number, SEVERAL}:
            self._written_by[:] = self._only_writer
            self._only_writer = SEVERAL
        if self._only_writer == SEVERAL:
            self._written_by[unit] = number

    def written_by(self, unit: int) -> int:
        """Number of the instruction that wrote a unit last in this launch, which one did."""
        assert self._only_writer is not None, "somebody wrote it"
        return int(self._written_by[unit]) if self._only_writer == SEVERAL else self._only_writer

    def note_latest(self, block: Array, agent: Array) -> None:
        """Agents of blocks have read what others read too."""
        missing = int(block.max(initial=-1)) + 1 - len(self.latest)
        if missing > 0:
            self.latest = np.append(self.latest, np.full(missing, NOBODY))
        np.maximum.at(self.latest, block, agent)

    def start_launch(self) -> None:
        """Launches are ordered: forget who did what, not what was written."""
        if self._only_writer is not None:
            self.writer[:] = NOBODY
        for name in _MADE_WHERE_ASKED_FOR:
            vars(self).pop(name, None)
        self.others = self.others[:, :0]
        self.latest = self.latest[:0]
        self.strong = self.read = False
        self._only_writer = None

    def element(self, unit: int) -> int:
        """The element that a unit belongs to."""
        return self.byte(unit) // self.itemsize

    def refine(self, granularity: int) -> None:
        """Remember smaller units from here on: something narrower was stored."""
        times = self.granularity // granularity
        self.granularity = granularity
        for name in ("writer", "written", *_MADE_WHERE_ASKED_FOR):
            if name in vars(self):
                setattr(self, name, np.repeat(getattr(self, name), times))
        self.others = np.repeat(self.others, times, axis=1)
        if self.others.size:
            self.others[0] = self.others[0] * times + np.arange(self.others.shape[1]) % times


_MADE_WHERE_ASKED_FOR = (
    "second", "manner", "_written_by", "reader", "reading", "read_by", "crowd", "cached",
)  # fmt: skip


def watch(start: int, nbytes: int, itemsize: int, *, written: bool, replicas: int = 1) -> Watched:
    """A fresh shadow; `written` for buffers that hold data before the launch (inout)."""
    granularity = min(4, itemsize)
    units = (-(-nbytes // granularity) + 16 // granularity) * replicas
    return Watched(
        start=start,
        granularity=granularity,
        writer=np.full(units, NOBODY),
        written=np.full(units, True) if written else np.zeros(units, np.bool_),
        itemsize=itemsize,
        replicas=replicas,
    )
