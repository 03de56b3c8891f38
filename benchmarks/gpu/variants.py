"""Search every bundled task on the simulator, and keep the best kernels and some slower ones for a GPU to time.

    python -m benchmarks.gpu.variants [--task NAME] [--device sim:h200] [--seed 1] [--out examples/kernels]

The built-in composer writes the kernels: no model, no network. Of each search the best kernel is kept as `best.cu`,
and a few others that passed, named by their features: a rank correlation needs slow kernels as well as fast ones.
Every latency here is an estimate.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import hashlib
import math
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.candidates import Trial
from agent.home import Home
from agent.results import SearchRequest
from agent.search.best import settled
from agent.search.starting import start_search
from agent.store import Store
from benchmarks.gpu.kernels import FOUND
from sandbox.errors import UsageError, WarpwrightError
from sandbox.verdict import Verdict
from tools.kernel import file as kernel_file
from tools.kernel import planning
from tools.local_toolbox import LocalToolbox
from tools.parts import local_parts
from tools.stages.compiling import CompileStage, any_scalars
from tools.tasks import folder as task_folder
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, Toolbox

OTHERS = 5
"""Kernels beside the best one, at most."""
APART = math.log(1.005)
"""Of two kernels whose estimates are nearer than this one is enough: for the model they are the same."""


@dataclass(frozen=True)
class Wanted:
    """What to search for, and how much."""

    device: str
    seed: int
    candidates: int
    depth: int

    def command(self, task: Task) -> str:
        """The command that does this for one task."""
        words = f"--task {task.name} --device {self.device} --seed {self.seed}"
        return (
            f"python -m benchmarks.gpu.variants {words} --candidates {self.candidates} --depth {self.depth}"
        )


@dataclass(frozen=True)
class Variant:
    """One kernel that passed, settled on its chosen tunables; the latency is an estimate."""

    features: tuple[str, ...]
    text: str
    estimated_us: float
    speedup: float | None


def spread(latencies: Sequence[float], others: int = OTHERS, apart: float = APART) -> list[int]:
    """Choose the fastest, then again and again the one whose estimate is farthest from all that are chosen.

    Args:
        latencies: Positive; ascending, so that of equal ones the first is meant.
        others: How many beside the fastest, at most.
        apart: Least distance, of logarithms, to what is chosen already.

    Returns:
        Ascending indices.
    """
    places = [math.log(latency) for latency in latencies]
    chosen = [0] if places else []
    while len(chosen) <= others:
        distances = [min(abs(place - places[one]) for one in chosen) for place in places] if chosen else []
        farthest = max(distances, default=0.0)
        if farthest < apart:
            break
        chosen.append(distances.index(farthest))
    return sorted(chosen)


async def distinct(task: Task, variants: Sequence[Variant], stage: CompileStage) -> list[Variant]:
    """Return those that launch other code, or launch it otherwise, than the baseline and all before them."""
    seen = {await _identity(task, task.baseline, stage)}
    found: list[Variant] = []
    for variant in variants:
        identity = await _identity(task, variant.text, stage)
        if identity not in seen:
            seen.add(identity)
            found.append(variant)
    return found


async def _identity(task: Task, text: str, stage: CompileStage) -> str:
    """What the benchmark shapes run: PTX and plans."""
    parts: list[str] = []
    for case in task.benches:
        compiled = await stage.compile(task, text, case.dims)
        plan = planning.plan(kernel_file.parse(text), task, case.dims, {}, any_scalars(task))
        launches = tuple(replace(launch, line=0) for launch in plan.launches)
        parts += [compiled.report.ptx_key, repr((plan.buffers, launches))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def named(variants: Sequence[Variant]) -> Iterator[tuple[str, Variant]]:
    """Give the fastest the name `best`, and every other one that of its features."""
    taken: dict[str, int] = {}
    for index, variant in enumerate(variants):
        name = "best" if index == 0 else "-".join(sorted(variant.features)) or "plain"
        taken[name] = taken.get(name, 0) + 1
        yield (name if taken[name] == 1 else f"{name}-{taken[name]}"), variant


def kept_file(variant: Variant, command: str, device: str) -> str:
    """Return the kernel file, with lines before it that say where it comes from."""
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    faster = (
        ""
        if variant.speedup is None
        else f", {variant.speedup:.3g} times as fast as the baseline (estimated)"
    )
    said = f"{date}, {device}: {variant.estimated_us:.4g} us (estimated){faster}"
    return f"// Found by {command}\n// {said}.\n{variant.text}"


async def search(task: Task, wanted: Wanted, toolbox: Toolbox, home: Home) -> list[Variant]:
    """Search, and return what passed, fastest estimate first."""
    request = SearchRequest(
        task=str(task.folder), device=wanted.device, candidates=wanted.candidates, depth=wanted.depth,
        seed=wanted.seed,
    )  # fmt: skip
    result = await start_search(request, home=home, toolbox=toolbox)
    store = Store(home)
    return [_variant(store, result.run, trial) for trial in store.candidates.ranked(result.run)]


def _variant(store: Store, run: str, trial: Trial) -> Variant:
    assert trial.sha is not None, "a candidate that passed has a kernel"
    assert trial.latency_us is not None, "only timed candidates are ranked"
    text = settled(store.kernels.read(run, trial.sha), trial.tune)
    return Variant(tuple(trial.features), text, trial.latency_us, trial.speedup)


async def _keep(task: Task, wanted: Wanted, out: Path) -> AsyncIterator[str]:
    """Search one task and write its folder anew; say what became of each kernel."""
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name))
        parts = local_parts(wanted.device, home.compile_cache, None)
        async with LocalToolbox(wanted.device, cache=home.compile_cache, parts=parts) as toolbox:
            stage = CompileStage(parts.compiler, parts.device.architecture)
            try:
                passed = await search(task, wanted, toolbox, home)
            except UsageError as error:
                yield f"{task.name}: nothing kept: {error}"
                return
            found = await distinct(task, passed, stage)
            chosen = [found[index] for index in spread([one.estimated_us for one in found])]
            yield f"{task.name}: {len(chosen)} chosen of {len(found)} distinct kernels that passed"
            folder = out / task.name
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("*.cu"):
                old.unlink()
            for name, variant in named(chosen):
                text = kept_file(variant, wanted.command(task), wanted.device)
                # All of it once more, at the benchmark shapes too: the search judged there only its winner.
                report = await toolbox.do(CheckOrder(task, text))
                if report.verdict is Verdict.PASS:
                    (folder / f"{name}.cu").write_text(text)
                yield f"{task.name}/{name}: {report.verdict}: {report.message}"


async def _keep_all(tasks: Sequence[Task], wanted: Wanted, out: Path) -> None:
    for task in tasks:
        async for line in _keep(task, wanted, out):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 2 where something it needs is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.variants", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, default=FOUND, help="folder with a folder for each task")
    parser.add_argument("--device", default="sim:h200", help="the simulated GPU (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of every search (%(default)s)")
    parser.add_argument("--candidates", type=int, default=4, help="kernels a round (%(default)s)")
    parser.add_argument("--depth", type=int, default=4, help="rounds at most (%(default)s)")
    parser.add_argument("--task", action="append", default=[], help="only this bundled task")
    given = parser.parse_args(arguments)
    wanted = Wanted(given.device, given.seed, given.candidates, given.depth)
    try:
        tasks = [task_folder.find(name, paths=False) for name in given.task or task_folder.names()]
        asyncio.run(_keep_all(tasks, wanted, given.out))
    except WarpwrightError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
