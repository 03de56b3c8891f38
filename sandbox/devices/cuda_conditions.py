"""Clocks, heat and throttling of a GPU while it is timed: read beside the timing and recorded, never changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox.nsight.gpu_facts import Gpu, Gpus, query

Query = Callable[[], Gpus]
"""Asks all GPUs; `sandbox.nsight.gpu_facts.query`, with a deadline of its own."""

_TOLD = (
    ("clocks.sm", "SM clock {} MHz"), ("clocks.mem", "memory clock {} MHz"), ("temperature.gpu", "{} C"),
    ("power.draw", "{} W"),
)  # fmt: skip


async def conditions(index: int, ask: Query | None = None) -> str:
    """Return how the GPU of that number is, in a line; why that is not known where it is not.

    Args:
        index: Its number in nvidia-smi's order.
        ask: Asks the GPUs; None for nvidia-smi.
    """
    answer = await asyncio.to_thread(ask or query)
    for place, gpu in enumerate(answer.found):
        if int(gpu.values.get("index", place)) == index:
            return _line(gpu)
    return answer.problem or f"nvidia-smi knows no GPU {index}"


def _line(gpu: Gpu) -> str:
    told = [form.format(gpu.values[name]) for name, form in _TOLD if name in gpu.values]
    held = [f"clocks held back by {', '.join(gpu.throttled)}"] if gpu.throttled else []
    return ", ".join([*told, *held]) or "nvidia-smi says nothing of its clocks"
