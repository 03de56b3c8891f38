"""A generated set of instruction tests: expressions on chosen and random bits, on the GPU and on the simulator."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.budget import Budget
from sandbox.device import Device
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.program import CompileRequest, Program

Array = np.ndarray[Any, Any]

COUNT = 4096
_KERNEL = "instructions"
_TYPES = {"float32": "float", "float64": "double", "int32": "int", "uint32": "unsigned", "int64": "long long"}

EXACT: dict[str, tuple[str, ...]] = {
    "float32": (
        "a + b", "a - b", "a * b", "__fmaf_rn(a, b, c)", "a / b", "sqrtf(a)", "1.0f / a", "fminf(a, b)",
        "fmaxf(a, b)",
        "__fadd_rz(a, b)", "__fadd_ru(a, b)", "__fadd_rd(a, b)", "__fmul_rz(a, b)", "__fmul_ru(a, b)",
        "__fmaf_rz(a, b, c)", "__fdiv_rz(a, b)", "__fsqrt_ru(a)", "floorf(a)", "ceilf(a)", "truncf(a)", "rintf(a)",
        "fabsf(a)", "-a", "copysignf(a, b)", "__saturatef(a)", "(float)(int)a", "(float)(unsigned)a",
        "(float)(long long)a", "(float)((double)a * (double)b)", "__int_as_float(__float_as_int(a) ^ 1)",
        "a < b ? a : c", "fmodf(a, b)", "(float)isnan(a)", "__shfl_xor_sync(0xffffffff, a, 5)",
        "__shfl_down_sync(0xffffffff, a, 3)",
    ),
    "float64": (
        "a + b", "a - b", "a * b", "__fma_rn(a, b, c)", "a / b", "sqrt(a)", "1.0 / a", "fmin(a, b)", "fmax(a, b)",
        "__dadd_rz(a, b)", "__dmul_ru(a, b)", "__ddiv_rd(a, b)", "__dsqrt_rz(a)", "floor(a)", "rint(a)",
        "(double)(float)a", "(double)(int)a", "(double)(long long)a", "copysign(a, b)", "a >= b ? b : c",
    ),
    "int32": (
        "a + b", "a - b", "a * b", "a * b + c", "__mulhi(a, b)", "__mul24(a, b)", "b ? a / b : 0", "b ? a % b : 0",
        "a & b", "a | b", "a ^ b", "~a", "a << (b & 31)", "a >> (b & 31)", "min(a, b)", "max(a, b)", "abs(a)",
        "__clz(a)", "__ffs(a)", "__popc(a)", "(int)__brev(a)", "__hadd(a, b)", "__rhadd(a, b)", "__sad(a, b, c)",
        "__dp4a(a, b, c)", "__dp2a_lo(a, b, c)", "(int)__byte_perm(a, b, c & 0x7777)",
        "(int)__funnelshift_l(a, b, c)", "(int)__funnelshift_rc(a, b, c)", "(a & b) | (~a & c)", "a ^ b ^ c",
        "(int)__vadd4(a, b)", "(int)__vmaxs2(a, b)", "(int)__ballot_sync(0xffffffff, a > b)",
        "(int)__reduce_add_sync(0xffffffff, a)", "(int)__match_any_sync(0xffffffff, a & 3)",
    ),
    "uint32": (
        "a * b", "__umulhi(a, b)", "b ? a / b : 0u", "b ? a % b : 0u", "a >> (b & 31)", "min(a, b)",
        "__usad(a, b, c)",
        "__dp4a(a, b, c)", "(unsigned)((unsigned long long)a * b >> 7)", "__uhadd(a, b)",
    ),
    "int64": (
        "a + b", "a - b", "a * b", "__mul64hi(a, b)", "b ? a / b : 0", "b ? a % b : 0", "a << (b & 63)",
        "a >> (b & 63)", "(long long)__popcll(a)", "(long long)__clzll(a)", "(long long)__brevll(a)", "a < b ? a : c",
        "(long long)(double)a", "(long long)(float)a",
    ),
}  # fmt: skip
"""What PTX defines to the last bit."""

APPROXIMATE: dict[str, tuple[str, ...]] = {
    "float32": (
        "__expf(a)", "__logf(a)", "__sinf(a)", "__cosf(a)", "__fdividef(a, b)", "__frsqrt_rn(a)", "rsqrtf(a)",
        "expf(a)", "logf(a)", "tanhf(a)", "erff(a)", "powf(a, b)", "sinf(a)", "exp2f(a)", "log2f(a)",
    ),
    "float64": ("exp(a)", "log(a)", "sin(a)", "rsqrt(a)"),
}  # fmt: skip
"""What it defines up to an error; GPUs of one kind agree, the simulator comes close."""


@dataclass(frozen=True)
class Agreement:
    """One expression on both devices.

    Attributes:
        equal: Of `total` results, those with the same bits (any NaN equals any other).
        worst_ulp: Largest distance in units of the last place, of finite floats; 0 for integers that agree.
        problem: Why nothing was compared, else empty.
    """

    dtype: str
    expression: str
    exact: bool
    equal: int = 0
    total: int = 0
    worst_ulp: float = 0.0
    problem: str = ""


def _expressions(dtype: str) -> list[tuple[str, bool]]:
    return [(one, True) for one in EXACT[dtype]] + [(one, False) for one in APPROXIMATE.get(dtype, ())]


def source(dtype: str) -> str:
    """Return a kernel that writes every expression of this type, one after the other."""
    kind = _TYPES[dtype]
    lines = [f"    out[{index}ll * n + i] = {text};" for index, (text, _) in enumerate(_expressions(dtype))]
    return "\n".join(
        [
            f'extern "C" __global__ void {_KERNEL}(const {kind}* x, {kind}* out, int n) {{',
            "    int i = blockIdx.x * blockDim.x + threadIdx.x;",
            "    if (i >= n) return;",
            f"    {kind} a = x[i], b = x[n + i], c = x[2 * n + i];",
            *lines,
            "}\n",
        ]
    )


def requests(architecture: str) -> list[CompileRequest]:
    """Return what has to be compiled."""
    return [CompileRequest(source(dtype), architecture, kernels=(_KERNEL,)) for dtype in EXACT]


def plan(dtype: str) -> Plan:
    """Return the launch for one type."""
    results = COUNT * len(_expressions(dtype))
    buffers = (BufferSpec("x", Role.IN, dtype, 3 * COUNT), BufferSpec("out", Role.OUT, dtype, results))
    arguments = (BufferArgument("x"), BufferArgument("out"), ScalarArgument("int32", COUNT))
    return Plan(buffers, (Launch(_KERNEL, (COUNT // 128, 1, 1), (128, 1, 1), 0, arguments, 1),))


def operands(dtype: str, seed: int = 1) -> Array:
    """Return three rows of operands: special values in all pairs, ordinary numbers, and random bits."""
    rng = np.random.default_rng([seed, zlib.crc32(dtype.encode())])
    kind = np.dtype(dtype)
    if kind.kind == "f":
        info = np.finfo(kind)
        special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            1.5,
            2.5,
            np.inf,
            -np.inf,
            np.nan,
            info.max,
            info.tiny,
            info.tiny / 8,
        ]
        ordinary = rng.normal(0, 4, 3 * COUNT).astype(kind)
    else:
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        special = [0, 1, 2, 3, 31, 32, 33, 255, high, high - 1, low, low + 1, high // 2]
        ordinary = rng.integers(0, 1000, 3 * COUNT).astype(kind)
    values = ordinary.reshape(3, COUNT)
    pairs = np.array(np.meshgrid(special, special), dtype=kind).reshape(2, -1)
    values[:2, : pairs.shape[1]] = pairs
    bits = rng.integers(0, 256, (3, COUNT // 2 * kind.itemsize), dtype=np.uint8).view(kind)
    values[:, COUNT // 2 :] = bits
    return values.reshape(-1)


async def compare(
    gpu: Device, simulator: Device, programs: dict[str, Program | str], deadline_s: float
) -> list[Agreement]:
    """Run every expression on both devices.

    Args:
        gpu: The one.
        simulator: The other.
        programs: For each type the program, or why there is none.
        deadline_s: Seconds of wall time for each run.
    """
    found: list[Agreement] = []
    for dtype, program in programs.items():
        problem = program if isinstance(program, str) else ""
        results: list[Array] = []
        for device in (gpu, simulator) if isinstance(program, Program) else ():
            assert isinstance(program, Program)
            ran = await device.run(
                program, plan(dtype), {"x": operands(dtype)}, poison=1, budget=Budget(deadline_s)
            )
            if ran.fault is not None:
                problem = f"{device.name}: {ran.fault.message}"
                break
            results.append(ran.outputs["out"].reshape(-1, COUNT))
        for index, (text, exact) in enumerate(_expressions(dtype)):
            if problem:
                found.append(Agreement(dtype, text, exact, problem=problem))
            else:
                found.append(_agreement(dtype, text, exact, results[0][index], results[1][index]))
    return found


def _agreement(dtype: str, text: str, exact: bool, first: Array, second: Array) -> Agreement:
    bits = np.dtype(f"uint{8 * first.itemsize}")
    same = first.view(bits) == second.view(bits)
    worst = 0.0
    if first.dtype.kind == "f":
        same |= np.isnan(first) & np.isnan(second)
        both = np.isfinite(first) & np.isfinite(second) & ~same
        if both.any():
            larger = np.maximum(np.abs(first[both]), np.abs(second[both]))
            with np.errstate(over="ignore", invalid="ignore"):
                apart = np.abs(first[both].astype(np.float64) - second[both].astype(np.float64))
            worst = float(np.max(apart / np.spacing(larger).astype(np.float64)))
    return Agreement(dtype, text, exact, int(same.sum()), same.size, worst)
