"""How much of the error bound honest kernels use, and whether lost precision is refused.

    python -m benchmarks.error_bound [--seeds 20] [--only NAME] [--at test,bench,numpy] [--rows FILE] [--json]

Honest kernels are the tasks' baselines, the kernels of `benchmarks.ranking` and the honest ones of
`benchmarks.error_corpus`: none may be refused. They are judged

- at test sizes on the simulator, with the families of values, for every seed;
- at benchmark sizes on the simulator, for one seed, with the task's constants of the bound, where the run ends within
  a limit; and
- at benchmark sizes as the reference itself computed in float32 by NumPy, for every seed (for two beyond 4 million
  elements), with the least constant of the bound: this is honest arithmetic too, and costs little.

Kernels that lose precision must be refused, for five seeds each; and lazy outputs (zeros, an output's own median
everywhere) lie far outside. A number is the largest `error / bound` over all elements, cases and inputs: at most 1
passes. With `--rows` each kernel's rows go into a file once it is judged, and a run that was stopped goes on there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.error_corpus import Corpus, Sample
from benchmarks.ranking import families
from sandbox.dtypes import numpy_dtype
from sandbox.reference.running_error.trace import load
from sandbox.verdict import Verdict
from tools.judge.comparison import compare
from tools.judge.freezing import FLOORS, Frozen, load_frozen
from tools.judge.oracle import TaskOracle
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import judge_results
from tools.local_toolbox import LocalToolbox
from tools.parts import ToolboxParts, local_parts
from tools.stages.compiling import CompileStage
from tools.tasks import folder as task_folder
from tools.tasks.task import Case, Task, argument_size
from tools.toolbox import TestOrder

DEVICE = "sim:h200"
_LOST_SEEDS = 5
_BENCH_S = 60.0
_LARGE = 1 << 22
_LARGE_SEEDS = 2


@dataclass(frozen=True)
class Row:
    """One kernel in one way.

    Attributes:
        kernel: A kernel's name, or a lazy output's.
        honest: Whether it must pass.
        at: "test", "bench" or "bench, NumPy".
        inputs: Judgements made, or seeds tried.
        ratio: The largest error over its bound; infinite where the outputs differ otherwise.
        passed: Whether none, or all, were refused; None where it took too long to say.
    """

    task: str
    kernel: str
    honest: bool
    at: str
    inputs: int
    ratio: float
    passed: bool | None
    message: str = ""


def main(
    *,
    seeds: Annotated[int, typer.Option(help="Inputs that each honest kernel is judged with.")] = 20,
    only: Annotated[str, typer.Option(help="Only tasks whose name begins so.")] = "",
    at: Annotated[
        str, typer.Option(help="Where: test, bench, numpy, several with commas.")
    ] = "test,bench,numpy",
    kept: Annotated[
        Path | None, typer.Option("--rows", help="Where rows are kept: a run goes on with those it finds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Judge honest kernels and kernels that lose precision; fail where a verdict is wrong."""
    rows = asyncio.run(measure(seeds, only, frozenset(at.split(",")), KeptRows(kept, f"{seeds} seeds, {at}")))
    wrong = [row for row in rows if row.passed is not None and row.passed is not row.honest]
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _print(rows)
        for line in summary(rows):
            typer.echo(line)
        for row in wrong:
            typer.echo(f"WRONG VERDICT: {row.task}, {row.kernel}, {row.at}: {row.message}")
    raise typer.Exit(1 if wrong else 0)


def _print(rows: list[Row]) -> None:
    table = Table(title="largest error / bound, on the simulator")
    for heading in ("task", "kernel", "honest", "at", "inputs"):
        table.add_column(heading)
    table.add_column("error / bound", justify="right")
    for row in rows:
        said = "not judged" if row.passed is None else f"{row.ratio:.3g}"
        table.add_row(row.task, row.kernel, "yes" if row.honest else "no", row.at, str(row.inputs), said)
    Console(width=140).print(table)


def summary(rows: list[Row]) -> list[str]:
    """Return what the whole came to, a line for each way of judging."""
    lines: list[str] = []
    for at in dict.fromkeys(row.at for row in rows if row.honest):
        judged = [row for row in rows if row.honest and row.at == at and row.passed is not None]
        skipped = sum(row.honest and row.at == at and row.passed is None for row in rows)
        refused = sum(not row.passed for row in judged)
        inputs, worst = sum(row.inputs for row in judged), max((row.ratio for row in judged), default=0.0)
        lines.append(
            f"honest at {at}: refused {refused} / {len(judged)} kernels over {inputs} inputs, largest error "
            f"{worst:.2g} of its bound; not judged {skipped}"
        )
    lost = [row for row in rows if not row.honest and row.at == "test"]
    lines.append(f"lost precision: refused {sum(not row.passed for row in lost)} / {len(lost)} kernels")
    return lines


class KeptRows:
    """Rows of judgements that were made before, in a file of a JSON line a kernel."""

    def __init__(self, path: Path | None, asked: str) -> None:
        """Read those that were judged as `asked`; without a path nothing is kept."""
        self._path, self._asked = path, asked
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        found = [json.loads(line) for line in lines]
        self._rows = {
            (one["task"], one["kernel"]): [Row(**row) for row in one["rows"]]
            for one in found
            if one["asked"] == asked
        }

    def of(self, task: Task, text: str) -> list[Row] | None:
        """Return a kernel's rows; None where it was not judged yet, or not for this task as it stands."""
        return self._rows.get((task.sha, _digest(text)))

    def keep(self, task: Task, text: str, rows: list[Row]) -> None:
        """Add a kernel's rows to the file."""
        if self._path is not None:
            line = {"asked": self._asked, "task": task.sha, "kernel": _digest(text)}
            with self._path.open("a") as file:
                file.write(json.dumps(line | {"rows": [asdict(row) for row in rows]}) + "\n")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def measure(seeds: int, only: str, at: frozenset[str], kept: KeptRows) -> list[Row]:
    """Judge every kernel in every way, but those whose rows are kept."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as cache:
        corpus = Corpus(Path(cache) / "tasks")
        parts = local_parts(DEVICE, Path(cache), None)
        async with LocalToolbox(DEVICE, cache=Path(cache), parts=parts) as box:
            bench = Bench(parts, box, Path(cache))
            for task, sample in kernels(corpus, only):
                found = kept.of(task, sample.text)
                if found is None:
                    found = await _judged(bench, task, sample, seeds, at)
                    kept.keep(task, sample.text, found)
                for row in found:
                    typer.echo(
                        f"{row.task}, {row.kernel}, {row.at}: {row.ratio:.3g} {row.message[:80]}", err=True
                    )
                rows += found
            if "test" in at:
                rows += await _lazy_outputs(bench, only)
    return rows


async def _judged(bench: Bench, task: Task, sample: Sample, seeds: int, at: frozenset[str]) -> list[Row]:
    rows: list[Row] = []
    if "test" in at:
        rows.append(
            await at_tests(bench.box, task, sample, max(1, seeds // 2) if sample.honest else _LOST_SEEDS)
        )
    if sample.honest and "bench" in at:
        rows += [await bench.simulated(task, sample, case) for case in task.benches]
    if sample.kernel in ("plain", "baseline") and "numpy" in at:
        rows += [await bench.by_numpy(task, case, seeds) for case in task.benches]
    return rows


async def _lazy_outputs(bench: Bench, only: str) -> list[Row]:
    tasks = [task_folder.find(name) for name in task_folder.names() if name.startswith(only)]
    return [row for task in tasks for row in await lazy(task, bench.oracle(task), await bench.frozen(task))]


def kernels(corpus: Corpus, only: str = "") -> Iterator[tuple[Task, Sample]]:
    """Every kernel with its task."""
    for sample in corpus.samples():
        if sample.task.startswith(only):
            yield corpus.task(sample.task, sample.dtype), sample
    for name in task_folder.names():
        task = task_folder.find(name)
        if name.startswith(only):
            yield task, Sample(name, "", "baseline", True, task.baseline)
    for path in sorted(families.FOLDER.glob("*/*.cu")):
        if path.parent.name.startswith(only):
            sample = Sample(path.parent.name, "", f"ranking {path.stem}", True, path.read_text())
            yield families.task(path.parent.name), sample


async def at_tests(box: LocalToolbox, task: Task, sample: Sample, judgements: int) -> Row:
    """Judge a kernel as a candidate is, several times; every judgement takes two inputs of every case."""
    worst, refused, message = 0.0, 0, ""
    for seed in range(judgements):
        report = await box.do(TestOrder(task, sample.text, seed=1 + 2 * seed))
        if report.verdict is not Verdict.PASS:
            refused, message = refused + 1, f"{report.verdict}: {report.message}"
            if not sample.honest and report.verdict is not Verdict.WRONG_RESULT:
                raise SystemExit(f"{task.name}, {sample.kernel}: {message}")
        ratios = [case.worst_ratio if case.worst_ratio is not None else math.inf for case in report.cases]
        worst = max(worst, *ratios)
    passed = not refused if sample.honest else refused < judgements
    return Row(task.name, sample.kernel, sample.honest, "test", 2 * judgements, worst, passed, message)


class Bench:
    """Judges kernels at benchmark sizes."""

    def __init__(self, parts: ToolboxParts, box: LocalToolbox, cache: Path) -> None:
        """Use a toolbox, its parts and its cache."""
        self.box = box
        self._parts = parts
        self._cache = cache
        self._compiling = CompileStage(parts.compiler, parts.device.architecture, 60.0)

    async def frozen(self, task: Task) -> Frozen:
        """What candidates for a task are judged by."""
        if load_frozen(self._cache, task, DEVICE) is None:
            await self.box.do(TestOrder(task, task.baseline, seed=1))
        frozen = load_frozen(self._cache, task, DEVICE)
        assert frozen is not None, "its baseline passes"
        return frozen

    def oracle(self, task: Task) -> TaskOracle:
        """Who knows the answers."""
        return TaskOracle(task, self._parts.answers)

    async def simulated(self, task: Task, sample: Sample, case: Case) -> Row:
        """Run a kernel once on the simulator."""
        compiled = await self._compiling.compile(task, sample.text, case.dims, None)
        assert compiled.build is not None, compiled.report.message
        subject = Subject(case, compiled.build.program, compiled.build.plan, once=True)
        rules = Rules((await self.frozen(task)).constants, seeds=1, seconds=_BENCH_S)
        found = await judge_results(task, self._parts.device, self.oracle(task), [subject], rules, seed=1)
        report = found.report
        ratio = report.cases[0].worst_ratio
        passed = (
            None if report.verdict in {Verdict.TIMEOUT, Verdict.UNDECIDED} else report.verdict is Verdict.PASS
        )
        ratio = math.inf if ratio is None else ratio
        return Row(task.name, sample.kernel, True, "bench", 1, ratio, passed, report.message)

    async def by_numpy(self, task: Task, case: Case, seeds: int) -> Row:
        """Judge the reference in float32 arithmetic, rounded to the outputs' dtypes."""
        floating = {answer.dtype for answer in (await self.oracle(task).question(case, 1)).expected}
        if not floating <= {"float32", "float16", "bfloat16"}:
            return Row(task.name, "float32 NumPy", True, "bench, NumPy", 0, 0.0, None)
        worst = 0.0
        size = sum(math.prod(argument_size(argument, case.dims)) for argument in task.arguments)
        seeds = min(seeds, _LARGE_SEEDS) if size > _LARGE else seeds
        for seed in range(1, seeds + 1):
            question = await self.oracle(task).question(case, seed)
            outputs = _in_float32(task, case, {**question.inputs, **question.scalars})
            for answer in question.expected:
                with np.errstate(over="ignore"):
                    got = np.asarray(outputs[answer.name]).astype(numpy_dtype(answer.dtype))
                worst = max(worst, compare(got, answer, constant=FLOORS[answer.dtype]).worst_ratio)
        return Row(task.name, "float32 NumPy", True, "bench, NumPy", seeds, worst, worst <= 1)


def _in_float32(task: Task, case: Case, inputs: dict[str, Any]) -> dict[str, Any]:
    reference = load(task.reference).__dict__["reference"]
    single = {
        name: value.astype(np.float32) if "float" in getattr(value, "dtype", np.dtype("int")).name else value
        for name, value in inputs.items()
    }
    with np.errstate(all="ignore"):
        return reference(**single, **case.dims)


async def lazy(task: Task, oracle: TaskOracle, frozen: Frozen) -> list[Row]:
    """What an output of zeros, or of one constant, would need at the task's largest test case."""
    question = await oracle.question(task.tests[-1], 1)
    rows: list[Row] = []
    for answer in question.expected:
        kinds = {"zeros": 0.0} | (
            {"its median": float(np.median(answer.values))} if answer.values.size > 1 else {}
        )
        for kind, value in kinds.items():
            got = np.full(answer.values.shape, value, numpy_dtype(answer.dtype))
            constant = frozen.constants.get(answer.name, 0.0)
            ratio = compare(got, answer, constant=constant).worst_ratio
            rows.append(Row(task.name, kind, False, "lazy", 1, ratio, ratio <= 1))
    return rows


if __name__ == "__main__":
    typer.run(main)
