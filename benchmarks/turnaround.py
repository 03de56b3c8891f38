"""How long the loop takes to turn: `python -m benchmarks.turnaround [--task NAME]... [--candidates 16] [--json]`.

In one run: seconds of processor and of wall time for one new kernel of each task, stage by stage, on workers that are
warm; those of a round of a search; and thread-instructions a second by kind of kernel, every check on, in one worker.
Beside them what PyTorch's `load_inline` takes to compile one kernel, measured where PyTorch and a compiler are
installed. Wall time is only worth something on a quiet machine; processor time is that of all processes together.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from agent.events import Event, RoundFinished, RoundPlanned
from agent.home import Home
from agent.results import SearchRequest
from agent.search.starting import start_search
from benchmarks.error_bound import DEVICE
from benchmarks.simulator import COUNT, compiled, plan_of
from benchmarks.throughput.workloads import KINDS
from sandbox.budget import Budget
from sandbox.devices.simulated import SimulatedDevice
from sandbox.isolation.choose import choose_isolation
from tools.local_toolbox import LocalToolbox
from tools.reports import AnyReport
from tools.tasks.folder import find
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, CompileOrder, Order, ProfileOrder, TestOrder

PUBLISHED = (
    "on the order of 90 s for toy kernels (pytorch/pytorch issue 152032, 2025), "
    "14 s, with precompiled headers 7 s, of C++ alone (pull request 106696, 2023)"
)
"""What others have published of `load_inline`'s compile time; not measured here."""


TASKS = ("dot_product", "matmul", "reduction", "relu", "sigmoid", "softmax", "transpose", "vector_add")
"""Of every kind of work that the bundled tasks are; the rest are timed where they are named."""

_RUNS = 4
"""Of a kernel in a row: the kernel counts processor time in steps of 10 ms."""


@dataclass(frozen=True)
class Spent:
    """Seconds of one piece of work; processor time is that of every process that took part."""

    what: str
    stage: str
    wall_s: float
    processor_s: float


@dataclass(frozen=True)
class Rate:
    """Million thread-instructions a second of processor time, every check on."""

    kind: str
    thread_instructions: int
    rate: float


def main(
    *,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be repeated.")] = None,
    candidates: Annotated[int, typer.Option(min=0, max=32, help="Of the round; 0 for none.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure how long candidates, their stages and a round of a search take."""
    tasks = [find(name) for name in task or TASKS]
    spent = asyncio.run(_measured(tasks, candidates))
    rates = asyncio.run(rates_of(KINDS))
    inline = load_inline_seconds()
    if as_json:
        figures = {"cores": _cores(), "load_inline_s": inline, "load_inline_published": PUBLISHED}
        tables = {"spent": [asdict(one) for one in spent], "rates": [asdict(one) for one in rates]}
        typer.echo(json.dumps(figures | tables, indent=2))
    else:
        show(spent, rates, inline)


async def _measured(tasks: Sequence[Task], candidates: int) -> list[Spent]:
    with tempfile.TemporaryDirectory() as folder:
        spent: list[Spent] = []
        for task in tasks:
            spent += await stages(task, Path(folder) / task.name)
        if candidates:
            spent += await round_of(
                tasks[-1] if len(tasks) == 1 else find("softmax"), candidates, Path(folder)
            )
        return spent


async def stages(task: Task, cache: Path) -> list[Spent]:
    """Judge the task's baseline as a new kernel, stage by stage; freezing, which a task needs once, comes first.

    Each stage is asked for alone, of a kernel text of its own: nothing is compiled that an earlier one compiled, so
    that `test`, `profile` and `shapes` contain what compiling takes.
    """

    def kernel(number: int) -> str:
        return f"{task.baseline}\n// {number}\n"

    orders: dict[str, Order[Task, Any]] = {
        "freeze": TestOrder(task, task.baseline, seed=1),
        "compile": CompileOrder(task, kernel(1)),
        "test": TestOrder(task, kernel(2), seed=1),
        "profile": ProfileOrder(task, kernel(3)),
        "candidate": CheckOrder(task, kernel(4), benches=False, seed=1),
        "winner": CheckOrder(task, kernel(5), seed=1),
    }
    found: list[Spent] = []
    async with _toolbox(cache) as toolbox:
        await toolbox.do(ProfileOrder(task, task.baseline))  # workers start, and the baseline is timed
        for stage, order in orders.items():
            wall, processor = time.monotonic(), processor_seconds()
            _refuse_failures(task, await toolbox.do(order))
            spent = Spent(task.name, stage, time.monotonic() - wall, processor_seconds() - processor)
            found.append(spent)
            typer.echo(f"{task.name}, {stage}: {spent.processor_s:.2f} s of processor time", err=True)
    return found


async def round_of(task: Task, candidates: int, folder: Path) -> list[Spent]:
    """Search for one round with the built-in composer, and tell its time from that of what goes before and after."""
    at: list[tuple[str, float, float]] = [("", time.monotonic(), processor_seconds())]

    def heard(event: Event) -> None:
        if isinstance(event, RoundPlanned | RoundFinished):
            what = "start" if isinstance(event, RoundPlanned) else "round"
            at.append((what, time.monotonic(), processor_seconds()))

    request = SearchRequest(task=task.name, device=DEVICE, candidates=candidates, depth=1, seed=1)
    async with _toolbox(folder / "search") as toolbox:
        await start_search(request, home=Home(folder / "home"), toolbox=toolbox, on_event=heard)
        at.append(("winner", time.monotonic(), processor_seconds()))
    name = f"{task.name}, {candidates} candidates"
    return [
        Spent(name, what, wall - before[1], processor - before[2])
        for before, (what, wall, processor) in pairwise(at)
    ]


@asynccontextmanager
async def _toolbox(cache: Path) -> AsyncGenerator[LocalToolbox]:
    async with LocalToolbox(DEVICE, cache=cache) as toolbox:
        yield toolbox


def _refuse_failures(task: Task, report: AnyReport) -> None:
    if report.verdict != "pass":
        raise SystemExit(f"the baseline of {task.name} fails: {report.message}")


def processor_seconds() -> float:
    """Processor time of this process, of those under it that run, and of those that have ended."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(folder.name)] = int(fields[1])
        ticks[int(folder.name)] = sum(
            map(int, fields[11:15])
        )  # user and system, its own and its ended children's
    below, found = {os.getpid()}, set[int]()
    while below:
        found |= below
        below = {child for child, parent in parents.items() if parent in below} - found
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = sum(ticks[child] for child in found - {os.getpid()}) / os.sysconf("SC_CLK_TCK")
    return own + ended.ru_utime + ended.ru_stime + time.process_time()


async def rates_of(kinds: Iterable[str]) -> list[Rate]:
    """Run one kernel of each kind in a worker, as a search does, once to warm up."""
    async with SimulatedDevice(DEVICE, choose_isolation()) as device:
        return [await _rate(device, kind) for kind in kinds]


async def _rate(device: SimulatedDevice, kind: str) -> Rate:
    workload = KINDS[kind]()
    program, plan, budget = compiled(workload), plan_of(workload), Budget(600.0)
    found = await device.profile(program, plan, workload.inputs, budget=budget)
    work = sum(m.value for launch in found.launches for m in launch.metrics if m.name == COUNT)
    taken: list[float] = []
    for _ in range(3):
        start = processor_seconds()
        for _ in range(_RUNS):
            result = await device.run(program, plan, workload.inputs, poison=0, budget=budget)
            if result.fault is not None or not workload.holds(result.outputs["out"]):
                raise SystemExit(f"the simulator gives a wrong result for {kind}: {result.fault}")
        taken.append((processor_seconds() - start) / _RUNS)
    return Rate(kind, int(work), work / min(taken) / 1e6)


def load_inline_seconds() -> float | None:
    """Seconds in which PyTorch compiles one small kernel; None where PyTorch or a compiler is not installed."""
    if find_spec("torch") is None or shutil.which("nvcc") is None or shutil.which("c++") is None:
        return None
    from torch.utils.cpp_extension import CUDA_HOME, load_inline  # pyright: ignore

    if CUDA_HOME is None:  # an nvcc of some wheel, without the rest of a toolkit
        return None
    cuda = (
        "__global__ void f(float* x) { x[threadIdx.x] *= 2; }\n"
        "void g(torch::Tensor x) { f<<<1, 32>>>(x.data_ptr<float>()); }"
    )
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        load_inline("turnaround", "void g(torch::Tensor x);", cuda, functions=["g"], build_directory=folder)
    return time.monotonic() - start


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def show(spent: Sequence[Spent], rates: Sequence[Rate], inline: float | None) -> None:
    """Print the tables."""
    table = Table(title=f"seconds, measured on {_cores()} cores")
    for heading in ("task", "stage", "wall", "processor"):
        table.add_column(heading, justify="left" if heading in {"task", "stage"} else "right")
    for one in spent:
        table.add_row(one.what, one.stage, f"{one.wall_s:.2f}", f"{one.processor_s:.2f}")
    speeds = Table(title="million thread-instructions (PTX) a second of processor time, checks on")
    for heading in ("kind", "thread-instructions", "rate"):
        speeds.add_column(heading, justify="left" if heading == "kind" else "right")
    for one in rates:
        speeds.add_row(one.kind, f"{one.thread_instructions:,}", f"{one.rate:,.0f}")
    console = Console()
    console.print(table, speeds)
    said = f"published, not measured: {PUBLISHED}" if inline is None else f"{inline:.1f} s, measured"
    console.print(f"PyTorch's load_inline compiles one kernel in: {said}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
