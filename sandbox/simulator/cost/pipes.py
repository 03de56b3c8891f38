"""Which execution pipe an instruction uses, and how many machine instructions it stands for.

PTX is not what the device runs: the assembler drops moves and address-space conversions, and expands
division. Weights are what NVIDIA's assembler emits for these at sm_90 (`cuobjdump -sass`), rounded;
latencies in clocks follow Luo et al. (arXiv 2402.13499) for arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sandbox.simulator.numerics.tensor import matrix_work, tile_accesses
from sandbox.simulator.ptx.syntax import Instruction

FMA, ALU, FP64, FP16, XU, LSU, TENSOR = "fma", "alu", "fp64", "fp16", "xu", "lsu", "tensor"
CONTROL = "cbu"
"""The branch unit: Nsight calls it the convergence barrier unit."""
NONE = "none"


@dataclass(frozen=True)
class Cost:
    """Machine instructions on a pipe, and clocks until a dependent instruction may issue."""

    pipe: str
    weight: float
    latency: int


_FREE = Cost(NONE, 0.0, 0)
_INTEGER = Cost(ALU, 1.0, 5)
_FLOAT = Cost(FMA, 1.0, 4)
_DOUBLE = Cost(FP64, 1.0, 16)
_HALF = Cost(FP16, 1.0, 5)
_SPECIAL = Cost(XU, 1.0, 20)
_BRANCH = Cost(CONTROL, 1.0, 8)
_MEMORY = Cost(LSU, 1.0, 0)

_FREE_OPCODES = frozenset({"mov", "cvta", "pragma", "prefetch", "createpolicy"})
_MEMORY_OPCODES = frozenset({"ld", "ldu", "st", "atom", "red", "ldmatrix", "stmatrix", "cp", "mbarrier"})
_BRANCH_OPCODES = frozenset(
    {"bra", "brx", "ret", "exit", "call", "bar", "barrier", "membar", "fence", "trap"}
)
_APPROXIMATE = frozenset({"ex2", "lg2", "sin", "cos", "rcp", "rsqrt", "sqrt", "tanh"})
_WARP = frozenset({"shfl", "vote", "match", "redux", "activemask", "elect"})


def cost_of(instruction: Instruction) -> Cost:
    """The cost class of one PTX instruction."""
    opcode, modifiers = instruction.opcode, instruction.modifiers
    if opcode == "wmma" and modifiers[0] != "mma":
        return Cost(LSU, tile_accesses(instruction), 0)
    work = matrix_work(instruction)
    return Cost(TENSOR, work.instructions, 33) if work is not None else _scalar(opcode, modifiers)


@lru_cache(maxsize=1 << 12)
def _scalar(opcode: str, modifiers: tuple[str, ...]) -> Cost:
    """What is neither a matrix product nor a tile."""
    if opcode in _FREE_OPCODES or (opcode == "ld" and "param" in modifiers):
        return _FREE
    if opcode == "cp" and {"wait_group", "wait_all"} & set(modifiers):
        return _BRANCH
    if opcode in _MEMORY_OPCODES:
        return _MEMORY
    if opcode in _BRANCH_OPCODES:
        return _BRANCH
    if opcode in _WARP:
        return Cost(LSU if opcode == "shfl" else ALU, 1.0, 24)
    return _arithmetic(opcode, modifiers)


def _arithmetic(opcode: str, modifiers: tuple[str, ...]) -> Cost:
    kind = modifiers[-1] if modifiers else ""
    if opcode in {"div", "rem"}:
        return _division(kind, modifiers)
    if opcode in _APPROXIMATE:
        return _transcendental(opcode, kind, modifiers)
    if opcode == "cvt":
        return _conversion(modifiers)
    if opcode == "setp":
        return {"f64": _DOUBLE}.get(kind, _INTEGER)
    if kind == "f64":
        return _DOUBLE
    if kind in {"f16", "f16x2", "bf16", "bf16x2"}:
        return _HALF
    if kind == "f32":
        return _INTEGER if opcode in {"min", "max", "abs", "neg", "selp"} else _FLOAT
    if opcode in {"mul", "mad", "fma", "dp4a", "dp2a"}:
        return Cost(FMA, 3.0 if kind.endswith("64") else 1.0, 5)
    if kind.endswith("64") and opcode not in {"selp"}:
        return Cost(ALU, 2.0, 7)
    if opcode in {"popc", "clz", "bfind", "brev"}:
        return Cost(XU, 1.0, 12)
    return _INTEGER


def _division(kind: str, modifiers: tuple[str, ...]) -> Cost:
    if kind == "f32":
        return Cost(FMA, 9.0, 40) if "rn" in modifiers else Cost(XU, 1.0, 24)
    if kind == "f64":
        return Cost(FP64, 14.0, 160)
    return Cost(FMA, 40.0, 150) if kind.endswith("64") else Cost(FMA, 18.0, 80)


def _transcendental(opcode: str, kind: str, modifiers: tuple[str, ...]) -> Cost:
    if kind == "f64":
        return Cost(FP64, 12.0, 140) if "approx" not in modifiers else _SPECIAL
    if opcode in {"sqrt", "rcp"} and "approx" not in modifiers:
        return Cost(FMA, 8.0, 45)
    return _SPECIAL


def _conversion(modifiers: tuple[str, ...]) -> Cost:
    kinds = [part for part in modifiers if part[0] in "usbf" and part[1:].isdigit()]
    if any(kind.endswith("64") and kind[0] in "fb" for kind in kinds):
        return Cost(XU, 1.0, 20)
    if kinds and all(kind[0] in "usb" for kind in kinds):
        return _INTEGER
    return Cost(XU, 1.0, 14) if any(kind[0] in "us" for kind in kinds) else _INTEGER
