"""From a run, or kernel files, to a package: chosen, judged for every architecture, compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from agent.candidates import Trial
from agent.export.packages import ChosenKernel, ExportedKernel, KernelPackage, Origin
from agent.export.variants import compiled_kernel
from agent.home import Home
from agent.search.best import settled
from agent.store import Store
from agent.toolboxes import open_toolbox
from sandbox.compiler.service import Compiler
from sandbox.errors import UsageError
from sandbox.isolation.choose import choose_isolation
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.verdict import Verdict
from tools.kernel.file import parse
from tools.preference import RESOLUTION
from tools.reports import CheckReport
from tools.stages.compiling import CompileStage
from tools.tasks.folder import FILES, captured_bytes, load
from tools.tasks.task import Task
from tools.toolbox import CheckOrder

AUTO = "auto"


class KernelNotRightError(UsageError):
    """A kernel did not pass where it was judged for the export; what is not right is not exported."""

    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict


@dataclass(frozen=True)
class Draft:
    """A kernel that may be exported.

    Attributes:
        text: Its tunables' defaults are the values that count.
        judgement: By its run; None where it was not judged yet.
    """

    name: str
    text: str
    origin: Origin
    judgement: CheckReport | None = None


@dataclass(frozen=True)
class Chosen:
    """The kernels of an export, the one that counts first, and the device that their latencies are of."""

    task: Task
    drafts: tuple[Draft, ...]
    device: str


@dataclass(frozen=True)
class ExportRequest:
    """What an export is for.

    Attributes:
        architectures: As `sm_90`; empty for that of the device.
        sizes: To compile for beside the task's cases.
        device: Where kernels of files are judged.
    """

    architectures: tuple[str, ...] = ()
    sizes: tuple[Mapping[str, int], ...] = ()
    device: str = AUTO


def from_run(store: Store, run: str) -> Chosen:
    """Return the kernels of a run that were best at a benchmark shape, its best one first.

    Raises:
        UsageError: There is no such run, nothing correct in it, or its task changed.
    """
    stored = store.get_run(run)
    best = store.candidates.best(run)
    if best is None:
        raise UsageError(f"run {run} has found no correct kernel, and there is nothing to export")
    task = load(stored.task_folder)
    if task.sha != stored.task_sha:
        raise UsageError(f"the task in {stored.task_folder} was changed after run {run}: search again")
    trial, sha = best
    others = [one for one in store.candidates.ranked(run) if one.place != trial.place]
    texts = {trial.place: store.kernels.read(run, sha)}
    drafts = [
        Draft(
            _file(place),
            texts.get(one.place) or settled(store.kernels.read(run, one.sha or ""), one.tune),
            Origin(f"run {run}", stored.model, f"{one.round}/{one.candidate}", tuple(one.features)),
            one.report if one.place == trial.place else None,
        )
        for place, one in enumerate([trial, *_best_somewhere(trial, others)])
    ]
    return Chosen(task, tuple(drafts), stored.device)


def from_files(files: Sequence[tuple[str, str]], task: Task, device: str) -> Chosen:
    """Return kernel files as they are; `files` are names and texts."""
    drafts = tuple(
        Draft(_file(place), text, Origin(Path(name).name)) for place, (name, text) in enumerate(files)
    )
    return Chosen(task, drafts, device)


async def packaged(
    chosen: Chosen, wanted: ExportRequest, home: Home, say: Callable[[str], None]
) -> KernelPackage:
    """Judge the kernels for every architecture and compile them.

    Args:
        chosen: The kernels; those behind the first are left out where they do not pass.
        wanted: For what.
        home: Where compiled programs are kept.
        say: Hears what is under way.

    Raises:
        KernelNotRightError: The first does not pass.
        UsageError: Something cannot be compiled.
    """
    judged: list[tuple[Draft, tuple[CheckReport, ...]]] = []
    for position, draft in enumerate(chosen.drafts):
        try:
            judged.append((draft, await _judgements(chosen, draft, wanted, home, say)))
        except KernelNotRightError as error:
            if position == 0 or chosen.drafts[0].judgement is None:
                raise
            say(f"left out {draft.name}: {error}")
    architectures = wanted.architectures or tuple(
        dict.fromkeys(_architecture(report) for report in judged[0][1])
    )
    chosen_at = choices(chosen.task, [reports[0] for _, reports in judged])
    kernels = await _compiled(chosen.task, judged, architectures, wanted, home)
    made = KernelPackage(
        chosen.task, kernels, chosen_at, architectures, version("warpwright"), _task_files(chosen.task)
    )
    for one in made.idle:
        say(f"left out {one.file}: another one is as good at every benchmark shape, and serves all sizes")
    return made.needed


def _task_files(task: Task) -> dict[str, bytes]:
    """Return what a task's folder holds; a baseline in several files is one, as it was read."""
    found = {name: (task.folder / name).read_bytes() for name in FILES} | captured_bytes(task)
    return found | {"baseline.cu": task.baseline.encode()}


async def _compiled(
    task: Task,
    judged: Sequence[tuple[Draft, tuple[CheckReport, ...]]],
    architectures: Sequence[str],
    wanted: ExportRequest,
    home: Home,
) -> tuple[ExportedKernel, ...]:
    sizes = [*wanted.sizes, *(case.dims for case in (*task.benches, *task.finals, *task.judged_cases))]
    async with AsyncExitStack() as stack:
        compiler = await stack.enter_async_context(
            Compiler(choose_isolation(), cache=home.compile_cache / "compiled")
        )
        stages = {name: CompileStage(compiler, name) for name in architectures}
        return tuple(
            [
                ExportedKernel(
                    draft.name, draft.text,
                    await compiled_kernel(stages, task, draft.text, parse(draft.text).defaults, sizes),
                    draft.origin, reports,
                )
                for draft, reports in judged
            ]
        )  # fmt: skip


async def _judgements(
    chosen: Chosen, draft: Draft, wanted: ExportRequest, home: Home, say: Callable[[str], None]
) -> tuple[CheckReport, ...]:
    """Return a judgement for each architecture that a device here has; the first is of the device asked for."""
    devices = devices_for(wanted.architectures, chosen.device)
    kept = draft.judgement
    reports: list[CheckReport] = []
    for device in devices:
        if kept is not None and kept.device == device:
            reports.append(kept)
            continue
        say(f"judging {draft.name} on {device}")
        async with open_toolbox(device, None, home) as toolbox:
            report = await toolbox.do(CheckOrder(chosen.task, draft.text))
        if report.verdict is not Verdict.PASS:
            raise KernelNotRightError(
                report.verdict, f"not exported: {report.verdict} on {device}: {report.message}"
            )
        reports.append(report)
    return tuple(reports)


def devices_for(architectures: Iterable[str], device: str) -> tuple[str, ...]:
    """Return where to judge: the device asked for, unless it is of no architecture asked for, and one of each other.

    A GPU of this machine may be of any architecture; it is asked where it is named.
    """
    wanted = list(dict.fromkeys(name.rstrip("af") for name in architectures))
    known = ARCHITECTURES.get(device.removeprefix("sim:"))
    own = None if known is None else known.compute
    first = [device] if not wanted or own in wanted or device.startswith("cuda") else []
    others = [_simulated(name) for name in wanted if name != own]
    return tuple([*first, *(name for name in others if name is not None)]) or (device,)


def _simulated(architecture: str) -> str | None:
    return next((f"sim:{one.name}" for one in ARCHITECTURES.values() if one.compute == architecture), None)


def choices(task: Task, reports: Sequence[CheckReport]) -> tuple[ChosenKernel, ...]:
    """Return which kernel was best at each benchmark shape; the first, where none is clearly better."""
    return tuple(ChosenKernel(case.dims, _best_at(case.dims, reports)) for case in task.benches)


def _best_at(dims: Mapping[str, int], reports: Sequence[CheckReport]) -> int:
    times = [_latency(report, dims) for report in reports]
    first = times[0]
    best = min(range(len(times)), key=lambda place: times[place])
    return best if times[best] * (1 + RESOLUTION) < first else 0


def _latency(report: CheckReport | None, dims: Mapping[str, int]) -> float:
    """Return microseconds at a benchmark shape; infinity where that is not known."""
    shapes = () if report is None or report.profile is None else report.profile.shapes
    return next((one.latency_us for one in shapes if one.dims == dims), float("inf"))


def _best_somewhere(best: Trial, others: Sequence[Trial]) -> list[Trial]:
    """Return those of the others that are clearly faster than the best one at a shape, each once."""
    shapes = () if best.report is None or best.report.profile is None else best.report.profile.shapes
    found: dict[tuple[int, int], Trial] = {}
    for shape in shapes if len(shapes) > 1 else ():
        place = _best_at(shape.dims, [one.report for one in (best, *others) if one.report is not None])
        if place:
            one = [one for one in others if one.report is not None][place - 1]
            found[one.place] = one
    return list(found.values())


def _file(place: int) -> str:
    return "kernel.cu" if place == 0 else f"kernel_{place + 1}.cu"


def _architecture(report: CheckReport) -> str:
    assert report.compile is not None, "it passed"
    return report.compile.architecture
