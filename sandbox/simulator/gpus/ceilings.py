"""The most that a simulated GPU does, so that no estimate falls below what a task needs at least."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.timing.plausibility import Ceilings

_SPLIT = 3
"""Half-precision products that one product of float32's accuracy is made of on tensor cores (split operands)."""


def ceilings(model: str, dtypes: Iterable[str]) -> Ceilings:
    """Return peak DRAM bandwidth, and the peak rate of operations on these types by the fastest units.

    Args:
        model: Name of a simulated GPU, `h200`.
        dtypes: Of a task's arguments.
    """
    gpu = ARCHITECTURES[model]
    named = set(dtypes)
    floats = {dtype for dtype in named if "float" in dtype}  # beside them integers are indices
    lanes = max(_lanes(gpu, dtype) for dtype in floats or named or {"float32"})
    per_s = 1e6 * gpu.clock_mhz * gpu.multiprocessors
    return Ceilings(1e9 * gpu.dram_gbps, 2 * lanes * per_s, f"peak rates of {gpu.name}, docs/gpus.md")


def _lanes(gpu: Architecture, dtype: str) -> float:
    """Multiply-adds a clock and SM."""
    match dtype:
        case "float32":
            return max(gpu.fp32_lanes, gpu.tensor.f16_f32 / _SPLIT)
        case "float64":
            return max(gpu.fp64_lanes, gpu.tensor.f64)
        case "float16" | "bfloat16":
            return max(gpu.fp16_lanes, gpu.tensor.f16_f16)
        case "int8" | "uint8":
            return max(gpu.int_lanes, gpu.tensor.i8)
        case _:  # words may hold packed bits
            return max(gpu.int_lanes, gpu.tensor.b1)
