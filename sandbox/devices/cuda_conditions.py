"""How a GPU is while it is timed, and who else uses it: read beside the timing and recorded, never changed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.nsight.gpu_facts import Gpu, Gpus, query, users

Query = Callable[[], Gpus]
"""Asks all GPUs; `sandbox.nsight.gpu_facts.query`, with a deadline of its own."""
Users = Callable[[str], Sequence[int]]
"""From a GPU's UUID to the processes that compute on it; `sandbox.nsight.gpu_facts.users`."""

_TOLD = (
    ("clocks.sm", "SM clock {} MHz"), ("clocks.mem", "memory clock {} MHz"), ("temperature.gpu", "{} C"),
    ("power.draw", "{} W"),
)  # fmt: skip
_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Conditions:
    """One look at a GPU.

    Attributes:
        line: Clocks, heat, power; or why they are not known.
        concerns: What should give whoever reads a time pause.
    """

    line: str
    concerns: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return all of it in a line."""
        return ", ".join((self.line, *self.concerns))


async def seen(index: int, ask: Query | None = None) -> Gpu | None:
    """Return what nvidia-smi says of the GPU of that number; None where it knows none."""
    return _of(await asyncio.to_thread(ask or query), index)


async def conditions(index: int, ask: Query | None = None, using: Users | None = None) -> Conditions:
    """Return how the GPU of that number is; why that is not known where it is not.

    Args:
        index: Its number in nvidia-smi's order.
        ask: Asks the GPUs; None for nvidia-smi.
        using: Asks who computes on one; None for nvidia-smi.
    """
    answer = await asyncio.to_thread(ask or query)
    gpu = _of(answer, index)
    if gpu is None:
        return Conditions(answer.problem or f"nvidia-smi knows no GPU {index}")
    told = [form.format(gpu.values[name]) for name, form in _TOLD if name in gpu.values]
    held = [f"clocks held back by {', '.join(gpu.throttled)}"] if gpu.throttled else []
    present = await asyncio.to_thread(using or users, gpu.values.get("uuid", ""))
    strangers = [str(process) for process in present if _is_stranger(process)]
    shared = [f"shared with other processes ({', '.join(strangers)})"] if strangers else []
    return Conditions(", ".join(told) or "nvidia-smi says nothing of its clocks", (*held, *shared))


def _of(answer: Gpus, index: int) -> Gpu | None:
    for place, gpu in enumerate(answer.found):
        if int(gpu.values.get("index", place)) == index:
            return gpu
    return None


def _is_stranger(process: int) -> bool:
    """Say whether a process is none that we started; one that is not seen from here may be our own."""
    ours = os.getpid()
    while process > 1:
        if process == ours:
            return False
        try:
            stat = (_PROCESSES / str(process) / "stat").read_text(errors="replace")
        except OSError:
            return False
        process = int(stat.rpartition(")")[2].split()[1])
    return True
