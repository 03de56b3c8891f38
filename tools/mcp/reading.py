"""Answers as text for models to read: the verdict first, then what it rests on, and the call to make next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import singledispatch

from pydantic import BaseModel

from sandbox.reference.torch_operators import operators_of, said_of
from tools.mcp.answers import (
    CompileAnswer,
    FailedCase,
    JudgeAnswer,
    LaunchLine,
    ProfileAnswer,
    ShapeLine,
    TaskList,
    TestAnswer,
    numbers_text,
)
from tools.mcp.benchmarks import BenchmarkAnswer, CompareAnswer
from tools.mcp.device import DeviceInfo
from tools.mcp.drafts import CreatedTask
from tools.mcp.task_form import FormCase, TaskDetails, TaskDraft

JSON, TEXT, MARKDOWN, CUDA, PYTHON = (
    "application/json",
    "text/plain",
    "text/markdown",
    "text/x-cuda",
    "text/x-python",
)


@dataclass(frozen=True)
class Link:
    """What has no place in an answer, and where it can be read."""

    name: str
    uri: str
    mime_type: str


@singledispatch
def text_of(answer: BaseModel) -> str:
    """Return an answer as a model reads it."""
    return answer.model_dump_json(exclude_none=True)


@singledispatch
def links_of(answer: BaseModel) -> list[Link]:
    """Return where the rest of an answer is."""
    return []


def fenced(text: str, language: str) -> str:
    """Return code in a fence that is longer than any in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; what is None is an empty cell."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(one) for one in row) + " |" for row in lines)


def joined(*parts: str) -> str:
    """Return the parts that say something, a line each."""
    return "\n".join(part for part in parts if part)


def times(value: float | None) -> str:
    """Return a speed-up in words."""
    return "" if value is None else f"{value:.3g} times as fast as the baseline"


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def next_call(step: str) -> str:
    """Return the last line of an answer."""
    return f"Next: {step}" if step else ""


def _under_way(answer: JudgeAnswer) -> str:
    return joined(answer.message, next_call(answer.next_step))


def _head(answer: JudgeAnswer, more: str = "") -> str:
    where = ", ".join(part for part in (answer.task, answer.device, more) if part)
    return f"**{answer.verdict}** ({where}): {answer.message}"


@text_of.register
def _(answer: TaskList) -> str:
    rows = [(one.name, one.summary, one.timed_at) for one in answer.tasks]
    return f"Judged on {answer.device}.\n\n{table(('task', 'computes', 'timed at'), rows)}"


def _case_text(case: FormCase) -> str:
    data = ", ".join(f"{one.name} ~ {one.value}" for one in case.data)
    return f"{numbers_text(case.dims)}{f' ({data})' if data else ''}"


@text_of.register
def _(answer: TaskDetails) -> str:
    rows = [(one.name, one.role, one.dtype, ", ".join(one.shape), one.data or "") for one in answer.arguments]
    limits = "; ".join(
        f"{one.name} from {one.min or 1} to {one.max or 'any'}, a multiple of {one.multiple_of or 1}"
        for one in answer.limits
    )
    return "\n\n".join(
        part
        for part in (
            f"# {answer.name}\n{answer.summary}",
            table(("argument", "role", "dtype", "shape", "data"), rows),
            f"Tested at: {'; '.join(map(_case_text, answer.tests))}, and at fresh sizes."
            + "".join(f"\nAnd on what was captured in {one}." for one in answer.captured)
            + f"\nTimed at: {'; '.join(map(_case_text, answer.benches))}."
            f"\nLeast work: {answer.flops} operations, {answer.bytes} bytes."
            + (f"\nSizes: {limits}." if limits else "")
            + ("" if answer.deterministic else "\nTwo runs need not agree bit for bit."),
            f"Reference:\n{fenced(answer.reference, 'python')}",
            said_of(operators_of(answer.reference)).replace("its", "Its", 1),
            f"Baseline, a correct kernel file to start from:\n{fenced(answer.baseline, 'cuda')}",
            f"Kernel files:\n{fenced(answer.kernel_file_rules, '')}",
            next_call("compile_kernel, then test_kernel; or start_search."),
        )
        if part
    )


@text_of.register
def _(answer: TaskDraft) -> str:
    form = answer.task.model_dump_json(exclude_none=True, indent=1)
    notes = "\n".join(f"- {note}" for note in answer.notes)
    return joined(
        f"A proposal, nothing was kept:\n{notes}",
        fenced(form, "json"),
        next_call("read or write the reference, mend what was guessed, then create_task(task=...)."),
    )


@text_of.register
def _(answer: CompileAnswer) -> str:
    used = table(
        ("kernel", "registers", "shared bytes", "stack bytes", "spilled bytes"),
        (
            (one.name, one.registers, one.shared_bytes, one.stack_bytes, one.spill_bytes)
            for one in answer.kernels
        ),
    )
    said = [
        f"{one.severity}{'' if one.line is None else f', line {one.line}'}: {one.message}"
        for one in answer.compiler_messages
        if one.message not in answer.message
    ]
    return joined(
        f"**{answer.verdict}** ({answer.task}, {answer.architecture}): {answer.message}",
        used if answer.kernels else "",
        *said,
        *(f"look at: {one}" for one in answer.suspicious),
        next_call(answer.next_step),
    )


def failure_text(case: FailedCase) -> str:
    """Return how a case failed: the first wrong elements, or the place of a fault, with the lines it is about."""
    counts = f"{case.wrong} of {case.total} elements wrong, {case.never_written} never written"
    rows = [(one.output, list(one.index), one.got, one.expected, f"{one.bound:.2g}") for one in case.first]
    where = [
        f"{name} {value}"
        for name, value in (("block", case.block), ("thread", case.thread), ("buffer", case.buffer))
        if value is not None
    ]
    lines = "\n".join(f"{one.number:>5} | {one.text}" for one in case.lines)
    return joined(
        f"At {numbers_text(case.dims)}, seed {case.seed}" + (f": {counts}." if case.wrong else "."),
        table(("output", "index", "got", "expected", "bound"), rows) if rows else "",
        ", ".join(where),
        fenced(lines, "") if lines else "",
    )


def _failures(first: FailedCase | None, also: Sequence[FailedCase]) -> str:
    others = [joined(f"Also **{one.verdict}**: {one.message}", failure_text(one)) for one in also]
    return joined("" if first is None else failure_text(first), *others)


@text_of.register
def _(answer: TestAnswer) -> str:
    if answer.verdict is None:
        return _under_way(answer)
    return joined(
        _head(answer, f"{answer.runs_passed} of {answer.runs_total} runs passed"),
        _failures(answer.failed, answer.also),
        next_call(answer.next_step),
    )


def _what_ifs(launch: LaunchLine) -> str:
    found = launch.breakdown
    if found is None:
        return ""
    needs = ", ".join(f"{one.resource} {one.us:.3g}" for one in found.parts[:6])
    gains = "; ".join(
        f"without {one.cause.replace('_', ' ')} {one.latency_us:.3g} us" for one in found.what_ifs
    )
    return joined(
        f"Needs, us: {needs}, launch {found.launch_us:.3g}; least possible {found.least_us:.3g}.",
        f"If only this changed: {gains}." if gains else "",
    )


def _launch(launch: LaunchLine) -> str:
    blocks = (
        f"{launch.sampled_blocks} of {launch.total_blocks} blocks counted"
        if launch.sampled_blocks < launch.total_blocks
        else f"{launch.total_blocks} blocks"
    )
    hot = "\n".join(
        f"{one.line or '':>5} | {one.text}   <- {one.value:.4g} {one.what}, {one.share:.0%}"
        for one in launch.hot_lines
    )
    rows = [(one.name, f"{one.value:.4g}", one.unit, one.provenance) for one in launch.metrics]
    return joined(
        f"`{launch.kernel}` (line {launch.line}): {launch.latency_us:.4g} us {launch.provenance}, bound by "
        f"{launch.bottleneck}, {launch.roofline_fraction:.0%} of its roofline, {blocks}.",
        _what_ifs(launch),
        fenced(hot, "") if hot else "",
        table(("metric", "value", "unit", "provenance"), rows) if rows else "",
        launch.note,
    )


def _shape(shape: ShapeLine) -> str:
    timing = shape.timing
    sure = (
        ""
        if timing is None
        else f" {timing.low:.3g} to {timing.high:.3g} times as fast (95%, {timing.pairs} pairs)."
        f"{''.join(f' {note}.' for note in timing.notes)}"
    )
    beside = "" if shape.baseline_us is None else f", the baseline {shape.baseline_us:.4g} us"
    return joined(
        f"## {numbers_text(shape.dims)}: {shape.latency_us:.4g} us {shape.provenance}{beside}.{sure}",
        *map(_launch, shape.launches),
    )


@text_of.register
def _(answer: ProfileAnswer) -> str:
    if answer.verdict is None:
        return _under_way(answer)
    return joined(
        _head(answer),
        *map(_shape, answer.shapes),
        f"Techniques against {answer.bottleneck}: {', '.join(answer.features)} (list_features has their pages)."
        if answer.features
        else "",
        f"Every metric: {answer.profile}" if answer.profile else "",
        next_call(answer.next_step),
    )


@links_of.register
def _(answer: ProfileAnswer) -> list[Link]:
    return [] if answer.profile is None else [Link("whole profile", answer.profile, JSON)]


@text_of.register
def _(answer: BenchmarkAnswer) -> str:
    if answer.verdict is None:
        return _under_way(answer)
    stages = ", ".join(f"{one.stage} {one.verdict} {one.seconds:.1f} s" for one in answer.stages)
    rows = [
        (numbers_text(one.dims), _digits(one.latency_us), _digits(one.baseline_us), one.provenance)
        for one in answer.shapes
    ]
    tune = numbers_text(answer.tune)
    swept = f", chosen among {answer.swept} settings" if answer.swept else ""
    return joined(
        _head(answer),
        f"{_digits(answer.latency_us)} us {answer.provenance}, {times(answer.speedup)}, bound by {answer.bottleneck}."
        if answer.latency_us is not None
        else "",
        f"Stages: {stages}." if stages else "",
        _failures(answer.failed, ()),
        table(("shape", "us", "baseline us", "provenance"), rows) if rows else "",
        f"Tunables: {tune}{swept}." if tune else "",
        *(f"Not judged at {numbers_text(one.dims)}." for one in answer.not_judged),
        *(f"Only a sample of blocks judged at {numbers_text(one.dims)}." for one in answer.sampled),
        next_call(answer.next_step),
    )


@text_of.register
def _(answer: CompareAnswer) -> str:
    if answer.verdict is None:
        return _under_way(answer)
    rows = [
        (
            one.label,
            one.verdict,
            _digits(one.latency_us),
            one.provenance if one.latency_us is not None else "",
            _digits(one.speedup),
            _digits(one.slower_than_best),
            one.bottleneck,
            numbers_text(one.tune),
            "; ".join(f"not judged at {numbers_text(shape.dims)}" for shape in one.not_judged),
        )
        for one in answer.standings
    ]
    wrong = [f"{one.label}: {one.message}" for one in answer.standings if one.latency_us is None]
    head = ("kernel", "verdict", "us", "provenance", "speedup", "of best", "bound by", "tunables", "note")
    return joined(_head(answer), table(head, rows), *wrong, next_call(answer.next_step))


@text_of.register
def _(answer: CreatedTask) -> str:
    if answer.verdict is None:
        return _under_way(answer)
    baseline = (
        f"The baseline takes {answer.baseline_us:.4g} us {answer.provenance}."
        if answer.baseline_us is not None
        else ""
    )
    return joined(_head(answer), baseline, answer.composer, next_call(answer.next_step))


@text_of.register
def _(answer: DeviceInfo) -> str:
    hardware = answer.hardware
    rows = [] if hardware is None else list(hardware.model_dump().items())
    return joined(
        f"{answer.device}: latencies are {answer.latency_provenance}; kernels are confined by {answer.isolation}.",
        table(("of the device", ""), rows) if rows else "",
        f"Other devices for `device`: {', '.join(answer.other_devices)}." if answer.other_devices else "",
    )
