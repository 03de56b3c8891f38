"""What was published: families of kernels, their times, and the GPUs on which they were taken."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.device import Cause
from sandbox.plan import BufferArgument, BufferSpec, Launch, PassedArgument, Plan, Role, ScalarArgument
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.architectures import ARCHITECTURES

FOLDER = Path(__file__).parent
DATA = FOLDER / "data"
_GPUS, _PAIRS, _CHANGES = "gpus", "pairs", "changes"


@dataclass(frozen=True)
class Timing:
    """How the times of a family were taken.

    Attributes:
        warm: Whether one call followed the other on the same buffers.
        call_us: The least time that one call takes, whatever the kernel does.
        beside_us: What every time has beside the kernel's.
    """

    warm: bool = False
    call_us: float = 0.0
    beside_us: float = 0.0

    def of(self, kernel_us: float) -> float:
        """What would be published of a kernel that takes so long."""
        return max(self.call_us, kernel_us) + self.beside_us


@dataclass(frozen=True)
class Point:
    """One published time.

    Attributes:
        shape: What is computed; times of one family and shape stand in competition.
        kernel: As named in the family's file, with its template arguments.
        what: What the kernel does, in words.
    """

    variant: str
    shape: str
    kernel: str
    plan: Plan
    measured_us: float
    what: str


@dataclass(frozen=True)
class Family:
    """Times of one publication.

    Attributes:
        gpu: With the clock at which it ran.
        source: The repository and file that holds the times.
        text: The kernels.
    """

    name: str
    gpu: Architecture
    source: str
    remark: str
    text: str
    timing: Timing
    points: tuple[Point, ...]


def families(only: Sequence[str] = ()) -> list[Family]:
    """Return every family, or those of these names."""
    return [family(name) for name in names() if not only or name in only]


def names() -> list[str]:
    """Return the names of the families, sorted."""
    return sorted(file.stem for file in DATA.glob("*.toml") if file.stem not in {_GPUS, _PAIRS, _CHANGES})


@dataclass(frozen=True)
class Pair:
    """Two published kernels of which every GPU should run the same one faster, and why."""

    family: str
    faster: str
    slower: str
    reason: str
    shape: str = ""


def pairs() -> list[Pair]:
    """Return the pairs whose order is known."""
    return [Pair(**row) for row in tomllib.loads((DATA / f"{_PAIRS}.toml").read_text())["pairs"]]


@dataclass(frozen=True)
class Change:
    """Two published kernels of which the one after lacks a cause that the one before has."""

    family: str
    before: str
    after: str
    cause: Cause
    what: str


def changes() -> list[Change]:
    """Return the changes whose effect was measured."""
    rows = tomllib.loads((DATA / f"{_CHANGES}.toml").read_text())["changes"]
    return [Change(**{**row, "cause": Cause(row["cause"])}) for row in rows]


def family(name: str) -> Family:
    """Read one family."""
    table = tomllib.loads((DATA / f"{name}.toml").read_text())
    gpu = gpus()[table["gpu"]]
    timing = Timing(table.get("warm", False), table.get("call_us", 0.0), table.get("beside_us", 0.0))
    return Family(
        name,
        replace(gpu, clock_mhz=table.get("clock_mhz", gpu.clock_mhz)),
        table["source"],
        table["remark"],
        (FOLDER / "kernels" / table["kernels"]).read_text(),
        timing,
        tuple(_point(row, table["shapes"]) for row in table["points"]),
    )


@cache
def gpus() -> Mapping[str, Architecture]:
    """Return the GPUs on which somebody measured, by name."""
    found: dict[str, Architecture] = {}
    for name, given in tomllib.loads((DATA / f"{_GPUS}.toml").read_text()).items():
        own = {key: value for key, value in given.items() if key not in {"base", "source"}}
        found[name] = replace(ARCHITECTURES[given["base"]], name=name, **own)
    return found


def _point(row: Mapping[str, Any], shapes: Mapping[str, Mapping[str, Sequence[Any]]]) -> Point:
    """One row; `sizes` are of buffers that it fills with fewer elements than others at its shape."""
    shape, sizes = row.get("shape", ""), row.get("sizes", {})
    buffers = tuple(
        BufferSpec(name, Role(role), dtype, sizes.get(name, size))
        for name, (role, dtype, size) in shapes[shape].items()
    )
    grid, block = (_three(row[name]) for name in ("grid", "block"))
    arguments = tuple(_argument(one) for one in row["arguments"])
    launch = Launch(row["kernel"], grid, block, row.get("shared", 0), arguments, line=1)
    plan = Plan(buffers, (launch,))
    return Point(row["variant"], shape, row["kernel"], plan, row["measured_us"], row["what"])


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = [*sizes, 1, 1][:3]
    return x, y, z


def _argument(text: str) -> PassedArgument:
    """A buffer's name, or a type and a number."""
    dtype, _, value = text.partition(" ")
    if not value:
        return BufferArgument(text)
    return ScalarArgument(dtype, float(value) if dtype.startswith("float") else int(value))
