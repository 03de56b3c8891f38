"""How fast the simulator is, alone and beside Numba's: `python -m benchmarks.simulator`.

Prints, for each kernel, thread-instructions (PTX) a second on one core with every check on, the same with hazard
checks off, the same on every core at once (one run a process, as the judge spreads its cases), and how many times
faster than Numba's CUDA simulator it is at the same launch, and at the same work in a launch that fills a core.
All is measured in one run; a busy machine slows it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.throughput.workloads import LARGE, SMALL, Workload
from sandbox.compiler.role import CompileRole
from sandbox.compiler.toolkit import find_toolkit
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.program import CompileRequest, Program
from sandbox.simulator import profiling
from sandbox.simulator.execute import running
from sandbox.worker.messages import CompileCall

COUNT = "smsp__thread_inst_executed.sum"


@dataclass(frozen=True)
class Row:
    """One kernel's figures; rates in million thread-instructions a second, ratios over Numba's simulator.

    Attributes:
        thread_instructions: Of the large launch, counted.
        same_launch: Seconds of Numba over ours for the small launch, None where Numba was not run.
        same_work: Numba's seconds a thread-instruction over ours for the large launch.
    """

    kernel: str
    thread_instructions: int
    checked: float
    unchecked: float
    all_cores: float
    same_launch: float | None
    same_work: float | None


def main(
    *,
    kernel: Annotated[list[str] | None, typer.Option(help="Measure this one; may be repeated.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each; the best one counts.")] = 3,
    numba: Annotated[bool, typer.Option(help="Run Numba's simulator too (pip install '.[bench]').")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure the simulator's speed."""
    cores = len(os.sched_getaffinity(0))
    kernels = kernel or list(LARGE)
    if unknown := set(kernels) - LARGE.keys():
        raise typer.BadParameter(f"{', '.join(unknown)}: expected one of {', '.join(LARGE)}")
    peers = numba_seconds(kernels) if numba else {}
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as processes:
        several = _Several(processes, cores, repeats)
        rows = [measure(name, several, peers.get(name)) for name in kernels]
    if as_json:
        typer.echo(json.dumps({"cores": cores, "kernels": [asdict(row) for row in rows]}, indent=2))
    else:
        show(rows, cores)


@dataclass(frozen=True)
class _Several:
    """Every core at once; and how often to time."""

    processes: ProcessPoolExecutor
    cores: int
    repeats: int

    def seconds(self, name: str) -> float:
        """Seconds of one large launch a core, all at once, `repeats` times."""
        list(self.processes.map(warm, [name] * self.cores))
        started = time.perf_counter()
        list(self.processes.map(repeat, [name] * self.cores, [self.repeats] * self.cores))
        return time.perf_counter() - started


def measure(name: str, several: _Several, peer: float | None) -> Row:
    """Time one kernel in every way."""
    large, small = LARGE[name](), SMALL[name]()
    work, little = instructions(large), instructions(small)
    checked = best(large, several.repeats)
    return Row(
        kernel=name,
        thread_instructions=work,
        checked=work / checked / 1e6,
        unchecked=work / best(large, several.repeats, hazards=False) / 1e6,
        all_cores=several.repeats * several.cores * work / several.seconds(name) / 1e6,
        same_launch=None if peer is None else peer / best(small, several.repeats),
        same_work=None if peer is None else (peer / little) / (checked / work),
    )


def warm(name: str) -> None:
    """Compile in this process."""
    compiled(SMALL[name]())


def repeat(name: str, repeats: int) -> None:
    """Run the large launch a few times in this process."""
    for _ in range(repeats):
        seconds(LARGE[name]())


def best(workload: Workload, repeats: int, *, hazards: bool = True) -> float:
    """Least seconds of a few runs."""
    return min(seconds(workload, hazards=hazards) for _ in range(repeats))


def seconds(workload: Workload, *, hazards: bool = True) -> float:
    """Seconds of one run, buffers filled and read back, its result checked."""
    program, plan = compiled(workload), plan_of(workload)
    started = time.perf_counter()
    result = running.run(program, plan, workload.inputs, 0, hazards=hazards)
    taken = time.perf_counter() - started
    if result.fault is not None or not workload.holds(result.outputs["out"]):
        raise SystemExit(f"the simulator gives a wrong {workload.name}: {result.fault}")
    return taken


def instructions(workload: Workload) -> int:
    """Thread-instructions of one launch, counted on a sample of its blocks, which all do the same."""
    found = profiling.profile(compiled(workload), plan_of(workload), workload.inputs, "h200")
    metrics = {metric.name: metric.value for launch in found.launches for metric in launch.metrics}
    return int(metrics[COUNT])


def compiled(workload: Workload) -> Program:
    """The workload's kernel for sm_90."""
    return compile_source(workload.name, workload.source)


@lru_cache
def compile_source(name: str, source: str) -> Program:
    """Compile in this process: the source is ours."""
    toolkit = find_toolkit()
    role = CompileRole({"nvrtc": [str(toolkit.library)], "include": [str(p) for p in toolkit.include]})
    found = role.answer(CompileCall(CompileRequest(source, "sm_90", (), (name,))))
    if found.program is None:
        raise SystemExit(found.log)
    return replace(found.program, key=hashlib.sha256(found.program.ptx.encode()).hexdigest())


def plan_of(workload: Workload) -> Plan:
    """One launch over the workload's buffers."""
    buffers = [BufferSpec(name, Role.IN, "float32", v.size) for name, v in workload.inputs.items()]
    buffers.append(BufferSpec("out", Role.OUT, "float32", workload.outputs))
    arguments = (*(BufferArgument(b.name) for b in buffers), ScalarArgument("int32", workload.size))
    launch = Launch(workload.name, (*workload.grid, 1), (*workload.block, 1), 0, arguments, 1)
    return Plan(tuple(buffers), (launch,))


def numba_seconds(kernels: list[str]) -> dict[str, float]:
    """Numba's seconds for every small launch; empty, with a line that says so, where it is not installed."""
    command = [sys.executable, "-m", "benchmarks.throughput.numba_side", *kernels]
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "No module named 'numba'" in finished.stderr:
        typer.echo("Numba is not installed (pip install '.[bench]'): no comparison", err=True)
        return {}
    if finished.returncode:
        raise SystemExit(finished.stderr)
    return json.loads(finished.stdout)


def show(rows: list[Row], cores: int) -> None:
    """Print the table."""
    table = Table(title="million thread-instructions (PTX) a second, measured", caption=f"{cores} cores")
    for heading in ("kernel", "one core", "hazards off", "all cores", "x Numba, launch", "x Numba, work"):
        table.add_column(heading, justify="left" if heading == "kernel" else "right")
    for row in rows:
        ratios = ["-" if r is None else f"{r:,.0f}" for r in (row.same_launch, row.same_work)]
        rates = [f"{rate:,.0f}" for rate in (row.checked, row.unchecked, row.all_cores)]
        table.add_row(row.kernel, *rates, *ratios)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
