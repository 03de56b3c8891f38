"""What every prompt of a run begins with, the same text each time: device and judge, the task, the library."""

from __future__ import annotations

from collections.abc import Sequence

from prompts import Feature, features, render_facts
from tools.mcp.device import Hardware, describe_device
from tools.parts import Limits
from tools.tasks.task import Case, Task

_PAGES = 16_000
"""Characters of pages that every prompt holds; of others the plan's own are added."""
_ESTIMATED = (
    "This device is simulated: results are exact, counts are counted, latencies are *estimated* by a cost model, to"
    " rank kernels; no GPU runs them."
)
_MEASURED = "This device is a GPU: latencies are *measured*, each beside the baseline's."
_BLIND = (
    "- The cost model does not see: the traffic of spilled registers, the instruction cache, clocks that change, what"
    " the assembler merges. Do not tune for what only hardware would show."
)


def shared_text(task: Task, device: str, library: Sequence[Feature]) -> str:
    """Return facts, task and library."""
    known = describe_device(device, "", (device,))
    facts = render_facts(
        {
            "device": f"{device}. {'' if known.hardware is None else _hardware(known.hardware)}".strip(),
            "judge": _ESTIMATED if known.simulated else _MEASURED,
            "settings": str(Limits().sweep),
            "blind": _BLIND if known.simulated else "",
        }
    ).strip()
    useful = library or features()
    lines = "\n".join(f"- `{one.name}`: {one.summary}" for one in useful)
    pages = "\n".join(one.text for one in shared_pages(library))
    return "\n\n".join((facts, task_text(task), f"# Feature library\n\n{lines}", pages)).strip()


def shared_pages(library: Sequence[Feature]) -> list[Feature]:
    """Return the pages that every prompt of a run holds: of the features that can help, the most useful first."""
    pages, length = list[Feature](), 0
    for one in library:
        length += len(one.text)
        if length > _PAGES:
            break
        pages.append(one)
    return pages


def task_text(task: Task) -> str:
    """Return a task as models read it."""
    arguments = "\n".join(
        f"- `{argument.name}`: {argument.role} {argument.dtype}"
        + (f"[{', '.join(argument.shape)}]" if argument.shape else "")
        for argument in task.arguments
    )
    determinism = (
        "Two runs must agree bit for bit." if task.deterministic else "Runs may differ in rounding or order."
    )
    return "\n".join(
        (
            f"# Task: {task.name}\n\n{task.summary}\n",
            f"Dims: {', '.join(task.dims)}. {determinism}\n",
            f"Arguments:\n{arguments}\n",
            f"Tested at: {_cases(task.tests)}{_on_captured(task)}.",
            f"Timed at: {_cases(task.benches)}.",
            f"Least work: {task.flops} operations, {task.bytes} bytes.\n",
            f"The reference:\n\n{fenced('python', task.reference)}\n",
            f"The baseline, a correct kernel file:\n\n{fenced('cuda', task.baseline)}",
        )
    )


def _on_captured(task: Task) -> str:
    return f"; on captured data at {_cases(task.captured)}" if task.captured else ""


def fenced(language: str, text: str) -> str:
    """Return text in a fence."""
    return f"```{language}\n{text.rstrip()}\n```"


def _hardware(one: Hardware) -> str:
    sentences = (
        f"{one.architecture}, {one.multiprocessors} SMs at {one.clock_mhz} MHz.",
        f"Peaks: DRAM {one.dram_gb_per_s:.0f} GB/s,",
        f"float32 {one.fp32_gflops / 1e3:.1f} TFLOP/s without tensor cores.",
        f"L2 {one.l2_bytes >> 20} MiB.",
        f"An SM: {one.registers_per_sm} registers, {one.threads_per_sm} threads, {one.blocks_per_sm} blocks,",
        f"{one.shared_bytes_per_sm >> 10} KiB of shared memory,",
        f"{one.shared_bytes_per_block >> 10} KiB a block at most",
        "(beyond 48 KiB it must be dynamic).",
        f"A launch costs {one.launch_us:g} us.",
    )
    return " ".join(sentences)


def _cases(cases: Sequence[Case]) -> str:
    texts = [", ".join(f"{name} = {size}" for name, size in case.dims.items()) for case in cases]
    return "; ".join(texts) or "none"
