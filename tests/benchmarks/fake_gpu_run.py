"""Runs `benchmarks.gpu` as on a GPU machine: little is installed, and the GPU is a stand-in that says what it should.

python fake_gpu_run.py OUT PROGRAMS; the stand-in runs plans on the simulator in this process, and calls what comes
back measured: latencies a third longer, one count a tenth larger.
"""

# ruff: noqa: E402
from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

ABSENT = (
    "pydantic",
    "typer",
    "rich",
    "langgraph",
    "langchain_openai",
    "mcp",
    "openai",
    "docker",
    "aiosqlite",
    "cuda",
    "ml_dtypes",
    "scipy",
)


class Blocker:
    """Finds that these packages are not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"{name} is not installed on this machine", name=name)


sys.path.insert(0, str(Path(__file__).parents[2]))
if __name__ == "__main__":
    sys.meta_path.insert(0, Blocker())

from benchmarks.gpu.__main__ import Run, measure
from benchmarks.gpu.kernels import Entry, entries
from benchmarks.gpu.programs import CarriedCompiler
from sandbox.budget import Budget
from sandbox.device import Inspection
from sandbox.devices.one_by_one import OneByOne
from sandbox.devices.simulated import SimulatedDevice
from sandbox.isolation.choose import choose_isolation
from sandbox.simulator import profiling
from sandbox.simulator.execute import running
from sandbox.timing.measured import PairedTimes, TimedOutput
from sandbox.verdict import Provenance
from tools.tasks.task import Case

SLOW = """\
//@ launch slow<<<ceil_div(n, 256), 256>>>(x, y, out, n)
extern "C" __global__ void slow(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) for (int turn = 0; turn < 8; ++turn) ((volatile float*)out)[i] = x[i] + y[i];
}
"""
WRONG = SLOW.replace("x[i] + y[i]", "x[i] - y[i]").replace("slow", "wrong")
FEWER = "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum"


def kernels() -> list[Entry]:
    """Three kernels of one task at small sizes."""
    baseline = entries(("vector_add",))[0]
    cases = (Case({"n": 1}), Case({"n": 999}))
    task = replace(baseline.task, tests=cases, benches=(Case({"n": 5000}),), sha="12ab" * 16)
    return [Entry("vector_add", "baseline", task, task.baseline)] + [
        Entry("vector_add", name, task, text) for name, text in (("slow", SLOW), ("wrong", WRONG))
    ]


class StandIn(OneByOne):
    """A GPU as far as anybody can tell."""

    name = "cuda:0"
    architecture = "sm_90"
    provenance = Provenance.MEASURED
    measures = True

    async def run(self, program, plan, inputs, *, poison, budget):
        return running.run(program, plan, inputs, poison)

    async def profile(self, program, plan, samples, *, budget):
        found = profiling.profile(program, plan, samples, "h200")
        if found.latency_us is None:
            return found
        launches = tuple(
            replace(
                launch,
                latency_us=launch.latency_us * 1.5,
                provenance=Provenance.MEASURED,
                metrics=tuple(
                    replace(
                        metric,
                        provenance=Provenance.MEASURED,
                        value=metric.value * (1.25 if metric.name == FEWER else 1),
                    )
                    for metric in launch.metrics
                ),
            )
            for launch in found.launches
        )
        return replace(
            found, latency_us=found.latency_us * 1.5, provenance=Provenance.MEASURED, launches=launches
        )

    async def time_pairs(self, candidate, baseline, inputs, *, rules, deadline_s):
        latencies = [
            profiling.profile(timed.program, timed.plan, inputs[0], "h200").latency_us * 1.5
            for timed in (candidate, baseline)
        ]
        ran = [running.run(candidate.program, candidate.plan, one, 1) for one in inputs]
        fault = next((one.fault for one in ran if one.fault is not None), None)
        outputs = tuple(TimedOutput(index, 30, one.outputs) for index, one in enumerate(ran))
        of_candidate, of_baseline = ((one,) * 30 for one in latencies)
        return PairedTimes(
            fault, candidate=of_candidate, baseline=of_baseline, empty=(2.0,) * 30, parts=latencies[:1],
            clocks=(1980.0,) * 30, outputs=outputs,
        )  # fmt: skip

    async def explain(self, timed, inputs, parts, *, deadline_s):
        return (await self.profile(timed.program, timed.plan, inputs, budget=Budget(deadline_s))).launches

    async def ceilings(self):
        return None

    async def inspect(self, program, plan, inputs, *, deadline_s):
        return Inspection(None, "nobody looked")

    async def aclose(self):
        pass


async def _main(out: Path, programs: Path) -> None:
    isolation = choose_isolation()
    run = Run(out, kernels(), seconds=60, width=2, command="as a test", libraries=("vector_add",))
    async with SimulatedDevice("sim:h200", isolation) as simulator:
        await measure(StandIn(), simulator, CarriedCompiler(programs), isolation, run)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), Path(sys.argv[2])))
