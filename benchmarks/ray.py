"""One search on the local pool, on Ray, and on Ray under kills: `python -m benchmarks.ray [--every 10] [--json]`.

64 kernels by a script, of which half are right and the others wrong in four ways, are judged three times: by the
local pool, by three workers of a Ray of this machine's own, and by these while two of the three, chosen at random,
are killed (by kill -9) every so many seconds. Verdicts and the best kernel must be the same.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from agent.candidates import CandidatePlan
from agent.cli.output import print_json
from agent.home import Home
from agent.models.fallback import default_critique
from agent.proposer import Critique, CritiqueContext, PlanContext, WriteContext, Written
from agent.results import SearchRequest, SearchResult
from agent.search.starting import start_search
from tools.cluster.ray_toolbox import RayToolbox
from tools.local_toolbox import LocalToolbox
from tools.tasks import folder as task_folder
from tools.toolbox import Toolbox

WORKERS = 3
AT_ONCE = 2
"""Workers that are killed at a time."""
_EACH = 8
_PLACE = "int i = (blockIdx.x * EACH + k) * 256 + threadIdx.x;"
_BODIES = (
    f"for (int k = 0; k < EACH; ++k) {{ {_PLACE} if (i < n) out[i] = x[i] + y[i]; }}",
    "for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256) out[i] = x[i] + y[i];"
    " if (n < 0) out[EACH] = 0;",
    "for (int k = 0; k < EACH; ++k) { int i = (blockIdx.x * 256 + threadIdx.x) * EACH + k;"
    " if (i < n) out[i] = x[i] + y[i]; }",
    f"__shared__ float part[256]; for (int k = 0; k < EACH; ++k) {{ {_PLACE} __syncthreads();"
    " part[255 - threadIdx.x] = i < n ? x[i] + y[i] : 0; __syncthreads();"
    " if (i < n) out[i] = part[255 - threadIdx.x]; }",
    f"for (int k = 0; k < EACH; ++k) {{ {_PLACE} if (i < n) out[i] = x[i] + y[i] + (i % 7 == EACH % 7); }}",
    f"for (int k = 0; k < EACH; ++k) {{ {_PLACE} out[i] = x[i] + y[i]; }}",
    f"__shared__ float part[256]; for (int k = 0; k < EACH; ++k) {{ {_PLACE}"
    " part[threadIdx.x] = i < n ? x[i] : 0; float other = part[255 - threadIdx.x];"
    " if (i < n) out[i] = y[i] + (other == other ? x[i] : 0); }",
    f"for (int k = 0; k < EACH; ++k) {{ {_PLACE} if (i < n) out[i] = missing(x[i], y[i]); }}",
)
"""Four that are right; then a wrong result, an access out of bounds, a race and one that does not compile."""


def scripted_kernels() -> list[str]:
    """Return the 64 kernel files of the search, of every kind in every round."""
    return [
        f"//@ define EACH = {each}\n//@ launch add<<<ceil_div(n, 256 * EACH), 256>>>(x, y, out, n)\n"
        f'extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {{\n    {body}\n}}\n'
        for each in range(2, _EACH + 2)  # by ones, two of them would be one kernel
        for body in _BODIES
    ]


class KernelScript:
    """Writes the kernels of a list in their order, whatever becomes of them."""

    name = "script"

    def __init__(self, kernels: list[str], a_round: int) -> None:
        """Begin with the first of `kernels`, so many in a round."""
        self._kernels, self._a_round = kernels, a_round

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        """Plan one kernel for each place, from nothing."""
        return [CandidatePlan(None, (), "by script") for _ in range(context.candidates)]

    async def write(self, context: WriteContext) -> Written:
        """Write the kernel of a place."""
        place = (context.round - 1) * self._a_round + context.candidate - 1
        return Written(self._kernels[place % len(self._kernels)], ())

    async def criticise(self, context: CritiqueContext) -> Critique:
        """Say what the reports say."""
        return default_critique(context)


@dataclass(frozen=True)
class JudgedSearch:
    """What became of one search, and what it took.

    Attributes:
        best: Round and candidate of the best kernel.
        seconds: Of wall time, from the first judgement to the last; what a cluster needs to start is not in it.
        kills: Workers that were killed.
        lost: Times that a killed worker had an order in its hands.
        answered: Orders that the workers answered; None by the local pool.
    """

    workers: str
    verdicts: dict[str, str]
    latencies_us: dict[str, float | None]
    best: str
    seconds: float
    kills: int = 0
    lost: int = 0
    answered: int | None = None

    def same(self, other: JudgedSearch) -> bool:
        """Whether verdicts and the best kernel are those of another search."""
        return (self.verdicts, self.best) == (other.verdicts, other.best)

    def apart(self, other: JudgedSearch) -> float:
        """Return by how much a latency differs at most, relative: each judgement draws its own inputs."""
        both = ((self.latencies_us[place], other.latencies_us.get(place)) for place in self.latencies_us)
        return max((abs(one / two - 1) for one, two in both if one and two), default=0.0)


def task_of(folder: Path, n: int) -> Path:
    """Copy `vector_add` below a folder, with one benchmark shape of `n` elements and no test above 1,025."""
    copied = folder / "vector_add"
    shutil.copytree(task_folder.find("vector_add").folder, copied)
    toml = copied / "task.toml"
    toml.write_text(toml.read_text().replace("16777216", str(n)).replace("65537", "1025"))
    return copied


async def searched(folder: Path, name: str, toolbox: Toolbox, task: Path, kernels: list[str]) -> JudgedSearch:
    """Search with the kernels of a list, in four rounds."""
    a_round = -(-len(kernels) // 4)
    request = SearchRequest(
        task=str(task), device="sim:h200", candidates=a_round, depth=4, patience=4, seed=1
    )
    begun = time.monotonic()
    result = await start_search(
        request, home=Home(folder / name), toolbox=toolbox, proposer=KernelScript(kernels, a_round)
    )
    return _told(name, result, time.monotonic() - begun)


def _told(name: str, result: SearchResult, seconds: float) -> JudgedSearch:
    places = {f"{trial.round}.{trial.candidate}": trial for trial in result.candidates}
    return JudgedSearch(
        workers=name,
        verdicts={place: trial.verdict.value for place, trial in places.items()},
        latencies_us={place: trial.latency_us for place, trial in places.items()},
        best="" if result.best is None else f"{result.best.round}.{result.best.candidate}",
        seconds=seconds,
    )


async def kill_some(toolbox: RayToolbox, chance: random.Random, most: int = AT_ONCE) -> int:
    """Kill workers that live, chosen at random, all but one at most; return how many."""
    there = [pid for _, pid in (await toolbox.figures()).judges if _lives(pid)]
    chosen = chance.sample(there, min(most, max(0, len(there) - 1)))
    for pid in chosen:
        os.kill(pid, signal.SIGKILL)
    return len(chosen)


def _lives(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


async def kill_now_and_then(
    toolbox: RayToolbox, every_s: float, chance: random.Random, killed: list[int]
) -> None:
    """Kill two of the workers every so many seconds; `killed` takes how many each time."""
    while True:
        await asyncio.sleep(every_s)
        killed.append(await kill_some(toolbox, chance))


async def on_ray(
    folder: Path, name: str, task: Path, kernels: list[str], *, every_s: float | None, seed: int = 0
) -> JudgedSearch:
    """Search on a Ray of this machine's own; where `every_s` is given its workers are killed meanwhile."""
    killed: list[int] = []
    cache = folder / "cache"
    async with RayToolbox("local-ray", "sim:h200", cache=cache, cpus=WORKERS) as toolbox:
        killer = asyncio.create_task(
            asyncio.sleep(0)
            if every_s is None
            else kill_now_and_then(toolbox, every_s, random.Random(seed), killed)
        )
        try:
            found = await searched(folder, name, toolbox, task, kernels)
        finally:
            killer.cancel()
            await asyncio.wait({killer})
        figures = await toolbox.figures()
    return replace(found, kills=sum(killed), lost=figures.lost, answered=figures.answered)


async def measure(
    every_s: float, seed: int, n: int, say: Callable[[JudgedSearch], None]
) -> list[JudgedSearch]:
    """Do the search three times; `say` is told of each."""
    kernels, found = scripted_kernels(), list[JudgedSearch]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = task_of(folder, n)
        async with LocalToolbox("sim:h200", cache=folder / "cache") as toolbox:
            found.append(await searched(folder, "local pool", toolbox, task, kernels))
        say(found[-1])
        for named, every in (("local-ray", None), ("local-ray, killed", every_s)):
            found.append(await on_ray(folder, named, task, kernels, every_s=every, seed=seed))
            say(found[-1])
    return found


def told(one: JudgedSearch) -> str:
    """Return a search in a line."""
    counts = sorted(Counter(one.verdicts.values()).items())
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts)
    return (
        f"{one.workers}: {len(one.verdicts)} candidates ({verdicts}), best {one.best}, {one.seconds:.0f} s;"
        f" {one.kills} workers killed, {one.lost} of them with an order"
    )


def main(
    *,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two kills.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Of who is killed.")] = 0,
    elements: Annotated[int, typer.Option(min=1024, help="Of the benchmark shape.")] = 1 << 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Search three times, and say whether it came to the same."""

    def say(one: JudgedSearch) -> None:
        if not as_json:
            typer.echo(told(one))

    found = asyncio.run(measure(every, seed, elements, say))
    same = all(one.same(found[0]) for one in found[1:])
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        apart = max(one.apart(found[0]) for one in found[1:])
        typer.echo(f"verdicts and best: {'the same' if same else 'DIFFERENT'}; latencies within {apart:.2%}")
    raise typer.Exit(0 if same else 1)


if __name__ == "__main__":
    typer.run(main)
