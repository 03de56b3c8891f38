"""PTX that no compiler would write: a verdict comes back, the parent and the next run are unharmed."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.budget import Budget, Work
from sandbox.device import RunResult
from sandbox.devices.simulated import SimulatedDevice
from sandbox.isolation.process import ProcessIsolation
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from tests.compiling import program

SOURCE = """
__constant__ float table[4] = {1, 2, 3, 4};
__global__ void kernel(const float* x, float* y, int n) {
    __shared__ float s[64];
    int t = threadIdx.x;
    s[t] = t < n ? x[t] * table[t & 3] : 0.0f;
    __syncthreads();
    for (int o = 32; o > 0; o /= 2) { if (t < o) s[t] += s[t + o]; __syncthreads(); }
    float v = __shfl_sync(0xffffffff, s[0], 0);
    if (t < n) y[t] = v;
}
"""
X = np.arange(40, dtype=np.float32)
SOON = Budget(2, Work(1_000_000, 10_000))
"""Hundreds of times what the kernel does, so that one without end takes a tenth of a second."""

PIECES = [
    "0",
    "-1",
    "99999999999999999999",
    "%r1",
    "%f1",
    "%p1",
    "%rd1",
    "[%rd1]",
    "[0]",
    "{",
    "}",
    ";",
    "bra",
    "$L",
    "\x00",
    "é",
    ".f32",
]


def plan() -> Plan:
    buffers = (BufferSpec("x", Role.IN, "float32", 40), BufferSpec("y", Role.OUT, "float32", 40))
    arguments = (BufferArgument("x"), BufferArgument("y"), ScalarArgument("int32", 40))
    return Plan(buffers, (Launch("kernel", (1, 1, 1), (64, 1, 1), 0, arguments, 1),))


def mutations(ptx: str) -> st.SearchStrategy[list[str]]:
    """A few edits of the text, each cutting, doubling, swapping or replacing words."""
    count = len(ptx.split(" "))

    def edit(drawn: list[tuple[int, str, int]]) -> str:
        words = ptx.split(" ")
        for place, deed, other in drawn:
            at = place % len(words)
            match deed:
                case "cut":
                    del words[at]
                case "double":
                    words.insert(at, words[at])
                case "swap":
                    words[at], words[other % len(words)] = words[other % len(words)], words[at]
                case _:
                    words[at] = PIECES[other % len(PIECES)]
        return " ".join(words)

    one = st.tuples(
        st.integers(0, count - 1),
        st.sampled_from(["cut", "double", "swap", "replace"]),
        st.integers(0, count),
    )
    return st.lists(st.lists(one, min_size=1, max_size=4).map(edit), min_size=6, max_size=6)


PROGRAM = program(SOURCE, ("kernel",), assembled=False)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=mutations(PROGRAM.ptx))
def test_mutilated_ptx_gets_a_verdict_and_the_next_run_is_right(texts: list[str]) -> None:
    programs = [replace(PROGRAM, ptx=text, key=hashlib.sha256(text.encode()).hexdigest()) for text in texts]

    async def run_all() -> list[RunResult]:
        async with SimulatedDevice("sim:h200", ProcessIsolation(), workers=1) as device:
            runs = [await device.run(one, plan(), {"x": X}, poison=1, budget=SOON) for one in programs]
            return [*runs, await device.run(PROGRAM, plan(), {"x": X}, poison=1, budget=Budget(20))]

    *mutilated, last = asyncio.run(run_all())
    assert all(result.fault is not None or result.outputs["y"].shape == (40,) for result in mutilated)
    assert last.fault is None
    np.testing.assert_array_equal(last.outputs["y"], np.full(40, (X * np.tile([1, 2, 3, 4], 10)).sum()))
