"""Right ways to synchronise, compiled once each, and what is left of them when one word of their PTX is missing.

An idiom is a file in `idioms/`: a comment, a line `//@` that says how to launch it, and a kernel `k(x, y, io, n)` of
ints; `y` and `io` start as zeros. A mutant is its PTX with one fence, barrier, mask, order, scope or `.volatile`
dropped, weakened or moved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.budget import Budget, Work
from sandbox.device import RunResult
from sandbox.plan import BufferArgument, BufferSpec, Launch, LaunchMode, Plan, Role, ScalarArgument
from sandbox.program import Program
from sandbox.simulator.execute import running
from tests import compiling

Array = np.ndarray[Any, Any]
FOLDER = Path(__file__).parent / "idioms"
NAMES = sorted(path.stem for path in FOLDER.glob("*.cu"))
BUDGET = Budget(20.0, Work(1_000_000, 4_000))
"""Many times what any of them does: a mutant that waits without end does so no longer than it takes to tell."""


def _blocks_of(size: int, values: Array) -> Array:
    return values.reshape(-1, size)


def _after(permutation: int) -> Callable[[Array], Array]:
    return lambda x: x[np.arange(x.size) ^ permutation]


def _neighbours(x: Array) -> Array:
    return x + np.roll(x, -1)


def _counts(x: Array) -> Array:
    kind = x % 16
    return np.bincount(kind, minlength=16)[kind]


EXPECTED: dict[str, Callable[[Array], Array]] = {
    "total": lambda x: x.sum(keepdims=True),
    "largest": lambda x: x.max(keepdims=True),
    "scan": np.cumsum,
    "block_scan": lambda x: np.cumsum(_blocks_of(128, x), axis=1).reshape(-1),
    "double": lambda x: 2 * x,
    "ring1": lambda x: np.roll(_neighbours(x), -64),
    "ring2": lambda x: np.roll(_neighbours(x) + np.roll(_neighbours(x), 5), -64),
    "buckets": lambda x: x.reshape(-1, 8).sum(axis=0),
    "shifted": lambda x: np.roll(x, -32),
    "swapped1": _after(1 ^ 2 ^ 8),
    "halves": _after(15 ^ 3 ^ 4),
    "swapped32": _after(32),
    "swapped33": _after(33),
    "counts": _counts,
}
"""What `y` starts with, of `x`."""


@dataclass(frozen=True)
class Mutant:
    """One change; `name` is the line of the source, what was changed, and which of those it is there."""

    name: str
    ptx: str


@dataclass(frozen=True)
class Idiom:
    """One file."""

    name: str

    @cached_property
    def source(self) -> str:
        """The file's text."""
        return (FOLDER / f"{self.name}.cu").read_text()

    @cached_property
    def program(self) -> Program:
        """Compiled; its PTX is what runs."""
        return compiling.program(self.source, ("k",), "sm_90", assembled=False)

    @cached_property
    def _words(self) -> dict[str, str]:
        line = next(line for line in self.source.splitlines() if line.startswith("//@"))
        return dict(re.findall(r"(grid|block|n|io|expect|cluster) (\w+)", line)) | {
            "mode": "cooperative" if "cooperative" in line else "cluster" if "cluster" in line else "normal"
        }

    def run(self, ptx: str, poison: int) -> str:
        """Why it failed, or nothing."""
        words = self._words
        sizes = {name: int(words[name]) for name in ("n", "io", "grid", "block")}
        x = np.random.default_rng(3).integers(1, 1000, sizes["n"]).astype(np.int32)
        expected = EXPECTED[words["expect"]](x)
        buffers = (
            BufferSpec("x", Role.IN, "int32", x.size),
            BufferSpec("y", Role.INOUT, "int32", x.size),
            BufferSpec("io", Role.INOUT, "int32", sizes["io"]),
        )
        arguments = (*(BufferArgument(b.name) for b in buffers), ScalarArgument("int32", x.size))
        launch = Launch(
            "k",
            (sizes["grid"], 1, 1),
            (sizes["block"], 1, 1),
            0,
            arguments,
            1,
            LaunchMode(words["mode"]),
            (int(words.get("cluster", "1")), 1, 1),
        )
        zeros = {b.name: np.zeros(b.size, np.int32) for b in buffers[1:]}
        program = replace(self.program, ptx=ptx, key=hashlib.sha256(ptx.encode()).hexdigest())
        result = running.run(program, Plan(buffers, (launch,)), {"x": x} | zeros, poison, budget=BUDGET)
        return _failure(result, expected)

    def mutants(self) -> Iterator[Mutant]:
        """Every change, each once."""
        lines = self.program.ptx.splitlines()
        seen: dict[str, int] = {}
        for position, line in enumerate(lines):
            for what, changed in changes(lines, position):
                name = f"{_source_line(lines, position)} {what}"
                seen[name] = seen.get(name, 0) + 1
                again = f" #{seen[name]}" if seen[name] > 1 else ""
                assert changed[position : position + 1] != [line] or changed != lines
                yield Mutant(name + again, "\n".join(changed) + "\n")


def _failure(result: RunResult, expected: Array) -> str:
    if result.fault is not None:
        return f"{result.fault.verdict}: {result.fault.message}"
    found = result.outputs["y"][: expected.size]
    return "" if np.array_equal(found, expected) else "wrong result"


def _source_line(lines: list[str], position: int) -> str:
    """Line in the idiom's own file, whatever library it was inlined from."""
    for line in reversed(lines[: position + 1]):
        found = re.match(r"\s*\.loc\s+(\d+)\s+(\d+)", line)
        if found and found[1] == "1":
            return found[2]
    return "?"


_FENCE = re.compile(r"^\s*(membar\.(gl|sys|cta)|fence\.(sc|acq_rel|acquire|release)\.(gpu|sys|cta|cluster));")
_BARRIER = re.compile(
    r"^\s*(@!?%p\d+ )?(bar\.sync|barrier\.sync|barrier\.cluster\.wait|bar\.warp\.sync|cp\.async(?:\.bulk)?\.wait_(all|group))\b"
)
_ORDER = re.compile(r"\.(acquire|release|acq_rel)\b")
_MEMORY = re.compile(r"^\s*(@!?%p\d+ )?(ld|st|atom|red)\.")
_PLAIN_SPACES = re.compile(r"\.(param|local|const)\b")
_MBARRIER = re.compile(r"^\s*(@!?%p\d+ )?mbarrier\.(arrive|try_wait|test_wait)")


def changes(lines: list[str], position: int) -> Iterator[tuple[str, list[str]]]:
    """What can go wrong with one line of PTX: names, and all lines after it."""

    def with_line(*new: str) -> list[str]:
        return [*lines[:position], *new, *lines[position + 1 :]]

    line = lines[position]
    text = line.strip()
    if _FENCE.match(line):
        yield from _fence_changes(lines, position)
    elif found := _BARRIER.match(line):
        yield f"without {found[2]}", with_line()
        if found[2] == "bar.warp.sync":
            alone = "{ .reg .b32 alone; mov.u32 alone, %lanemask_eq; bar.warp.sync alone; }"
            yield "bar.warp.sync of each lane by itself", with_line(*alone.replace("; ", ";\n").split("\n"))
        if re.match(r"cp\.async\.(bulk\.)?wait_group", text):
            yield (
                "waits for one group less",
                with_line(re.sub(r"\d+;", lambda m: f"{int(m[0][:-1]) + 1};", line)),
            )
    elif _MBARRIER.match(line):
        if order := _ORDER.search(line):
            yield f"mbarrier without {order[1]}", with_line(_ORDER.sub(".relaxed", line, count=1))
        else:
            yield (
                "mbarrier relaxed",
                with_line(
                    re.sub(r"(mbarrier\.(?:arrive|try_wait|test_wait)(?:\.parity)?)", r"\1.relaxed.cta", line)
                ),
            )
    elif text.startswith("fence.proxy.async"):
        yield "without proxy fence", with_line()
    elif "barrier.cluster.arrive" in text:
        yield (
            "cluster arrival relaxed",
            with_line(_ORDER.sub("", line).replace("arrive", "arrive.relaxed", 1)),
        )
    elif _MEMORY.match(line) and not _PLAIN_SPACES.search(line):
        yield from ((what, with_line(new)) for what, new in _access_changes(line))


def _access_changes(line: str) -> Iterator[tuple[str, str]]:
    if ".volatile" in line:
        yield "not volatile", line.replace(".volatile", "", 1)
    if found := _ORDER.search(line):
        yield f"relaxed instead of {found[1]}", _ORDER.sub(".relaxed", line, count=1)
        if found[1] == "acq_rel":
            yield "acquire only", line.replace(".acq_rel", ".acquire")
            yield "release only", line.replace(".acq_rel", ".release")
    if re.search(r"\.(gpu|sys)\b", line):
        yield "block scope", re.sub(r"\.(gpu|sys)\b", ".cta", line, count=1)
    elif found := re.match(r"^\s*(?:@!?%p\d+ )?(?:atom|red)\.(?!.*\.(?:cta|shared))", line):
        yield "block scope", line[: found.end()] + "cta." + line[found.end() :]


def _fence_changes(lines: list[str], position: int) -> Iterator[tuple[str, list[str]]]:
    line = lines[position]
    yield "without fence", [*lines[:position], *lines[position + 1 :]]
    if ".cta" not in line:
        narrow = re.sub(r"\.(gl|gpu|sys)\b", ".cta", line)
        yield "fence of the block", [*lines[:position], narrow, *lines[position + 1 :]]
    for step, what in ((1, "fence later"), (-1, "fence earlier")):
        other = position + step
        while 0 <= other < len(lines) and not _ends(lines[other]) and not _moves_past(lines[other]):
            other += step
        if 0 <= other < len(lines) and _moves_past(lines[other]):
            rest = [*lines[:position], *lines[position + 1 :]]
            yield what, [*rest[:other], line, *rest[other:]]


def _moves_past(line: str) -> bool:
    return bool(_MEMORY.match(line)) and not _PLAIN_SPACES.search(line)


def _ends(line: str) -> bool:
    """Where a basic block begins or ends, or another synchronisation stands."""
    text = line.strip()
    return bool(
        text.startswith("$")
        or _FENCE.match(line)
        or _BARRIER.match(line)
        or re.match(r"(@!?%p\d+\s+)?(bra|ret|call)\b", text)
    )
