"""What a matrix instruction is to the cost model: its kind, its work, how many machine instructions it is.

Kinds are what NVIDIA's whitepapers give peak rates for. A `wmma.mma` counts as the `mma` instructions of 16 by 8
results that it is made of, as an `mma` of fewer results does as one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sandbox.simulator.ptx.syntax import Instruction

_SHAPE = re.compile(r"m(\d+)n(\d+)k(\d+)")
_RESULTS = 16 * 8
_ELEMENTS = frozenset(
    {"f16", "bf16", "tf32", "f32", "f64", "e4m3", "e5m2", "s8", "u8", "s4", "u4", "b1", "s32"}
)
_FAMILY = {"e4m3": "f8", "e5m2": "f8", "s8": "i8", "u8": "i8", "s4": "i4", "u4": "i4", "b1": "b1"}
_PATHS = {
    "f16_f16": "fp16_dst_fp16",
    "f16_f32": "fp16_dst_fp32",
    "bf16_f32": "bf16_dst_fp32",
    "tf32_f32": "tf32_dst_fp32",
    "f8_f16": "fp8_dst_fp16",
    "f8_f32": "fp8_dst_fp32",
    "f64": "fp64",
    "i8": "int8",
    "i4": "int4",
    "b1": "int1",
}
PATHS = tuple(_PATHS.values())
"""Sources and results as Nsight Compute's `sm__ops_path_tensor_src_` metrics name them."""


@dataclass(frozen=True)
class MatrixWork:
    """What one execution by a warp does.

    Attributes:
        kind: Of source and result, a key of `TensorRates.of`.
        multiply_adds: M * N * K of all its matrices.
        instructions: Machine instructions it stands for.
    """

    kind: str
    multiply_adds: int
    instructions: float

    @property
    def path(self) -> str:
        """The part of Nsight's metric name."""
        return _PATHS[self.kind]

    @property
    def unit(self) -> str:
        """hmma, imma or dmma: the part of the tensor pipe that runs it; single bits run with the integers."""
        return {"f64": "dmma", "i8": "imma", "i4": "imma", "b1": "imma"}.get(self.kind, "hmma")


def matrix_work(instruction: Instruction) -> MatrixWork | None:
    """The work of `mma` or `wmma.mma`; None of anything else."""
    modifiers = instruction.modifiers
    if instruction.opcode != "mma" and (instruction.opcode != "wmma" or modifiers[0] != "mma"):
        return None
    shape = _shape(modifiers)
    if shape is None:
        return None
    types = [part for part in modifiers if part in _ELEMENTS]
    source, result = (types[1], types[0]) if len(types) == 4 else ("f16", types[0])
    family = _FAMILY.get(source, source)
    kind = family if family in {"f64", "i8", "i4", "b1"} else f"{family}_{result}"
    # m8n8k4 on f16 is four matrices, one for each pair of quads.
    matrices = 4 if shape == (8, 8, 4) and source == "f16" else 1
    return MatrixWork(kind, matrices * math.prod(shape), max(1.0, shape[0] * shape[1] / _RESULTS))


def tile_accesses(instruction: Instruction) -> float:
    """Accesses of a warp that `wmma.load` or `wmma.store` makes of its tile (instructions/wmma.py)."""
    modifiers = instruction.modifiers
    shape = _shape(modifiers)
    if shape is None:
        return 1.0
    m, n, k = shape
    elements = {"a": m * k, "b": k * n}.get(modifiers[1], m * n)
    bits = int("".join(c for c in modifiers[-1].replace("tf32", "f32") if c.isdigit()))
    wide = bits == 64 or (bits == 32 and modifiers[1] in {"c", "d"})
    return max(1.0, elements * bits / 8 / (256 if wide else 128))


def _shape(modifiers: tuple[str, ...]) -> tuple[int, int, int] | None:
    found = next((match for part in modifiers if (match := _SHAPE.fullmatch(part))), None)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))
