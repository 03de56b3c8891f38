"""Forms `flashinfer-bench` and `sol-execbench`: kernels as a solution of the problem that their task was made of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Literal

from agent.export.packages import KernelPackage
from agent.export.rendering import rendered
from agent.importing.definition_source import example_sizes
from agent.importing.definitions import (
    DEFINITION,
    WORKLOADS,
    Definition,
    PublishedTolerance,
    Workload,
)
from agent.importing.published import PublishedNames, read_published
from sandbox.errors import UsageError
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.verdict import Provenance, Verdict
from tools.judge.closeness import worst_of
from tools.reports import CheckReport, Closeness

Bench = Literal["flashinfer-bench", "sol-execbench"]


def published_files(package: KernelPackage, bench: Bench) -> dict[str, bytes]:
    """Return the solution, its traces, and the problem's own files.

    Raises:
        UsageError: The task was imported from no such problem, or the kernels need what a solution cannot hold.
    """
    problem, names = read_published(package.task.folder)
    definition = problem.definition
    if package.asked:
        raise UsageError(
            f"{definition.name}: no input's shape says {package.asked[0]}: a solution is not told it"
        )
    if any(not image.portable for _, image in package.images()):
        raise UsageError(
            f"{definition.name}: a solution holds PTX, and {package.architectures[0]} has none that other GPUs run"
        )
    solution = _solution(package, definition, names, bench)
    traces = [_trace(one, package, definition, names, solution["name"]) for one in problem.workloads]
    return {
        "solution.json": _json(solution),
        "traces.jsonl": "".join(json.dumps(one) + "\n" for one in traces).encode(),
        DEFINITION: problem.texts[DEFINITION].encode(),
        WORKLOADS: problem.texts[WORKLOADS].encode(),
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _solution(
    package: KernelPackage, definition: Definition, names: PublishedNames, bench: Bench
) -> dict[str, Any]:
    writers = dict.fromkeys(one.origin.writer for one in package.kernels if one.origin.writer)
    language: dict[str, Any] = (
        {"language": "python"} if bench == "flashinfer-bench" else {"languages": ["pytorch"]}
    )
    return {
        "name": f"{package.space}_warpwright",
        "definition": definition.name,
        "author": ", ".join(writers) or "warpwright",
        "description": "CUDA kernels, launched by the driver's own calls: source in kernels/, PTX in images/.",
        "spec": {
            **language,
            "target_hardware": _hardware(package, bench),
            "entry_point": f"{package.space}/main.py::run",
            "destination_passing_style": True,
            "dependencies": ["torch"],
        },
        "sources": [
            {"path": path, "content": text.decode()}
            for path, text in _sources(package, definition, names).items()
        ],
    }


def _hardware(package: KernelPackage, bench: Bench) -> list[str]:
    """The GPUs of the package's architectures, as the benchmark names them."""
    known = [name for name, one in ARCHITECTURES.items() if one.compute in package.architectures]
    if bench == "sol-execbench":
        return ["LOCAL", *("B200" for _ in known[:1] if "sm_100" in package.architectures)]
    return [f"NVIDIA_{name.upper()}" for name in known] or list(package.architectures)


def _sources(package: KernelPackage, definition: Definition, names: PublishedNames) -> dict[str, bytes]:
    folder = package.space
    scalars = {one.name for one in package.scalars}
    used = {**names.inputs, **names.outputs}
    specs = {**definition.inputs, **definition.outputs}
    made = {
        f"{folder}/__init__.py": b'"""A solution; main.py has it."""\n',
        f"{folder}/main.py": rendered(
            "python/published_main.py.j2",
            package,
            definition=definition.name,
            inputs=tuple(definition.inputs),
            outputs=names.outputs,
            tensors={one: name for one, name in used.items() if name not in scalars},
            scalars={one: name for one, name in used.items() if name in scalars},
            flat=[one for one in used if specs[one].shape == ()],
            fixed=names.fixed,
        ),
        f"{folder}/plan.py": rendered("plan.py.j2", package, cubins=False),
        f"{folder}/launching.py": (
            files("agent.export") / "templates" / "python" / "launching_ctypes.py.j2"
        ).read_bytes(),
    }
    made |= {f"{folder}/images/{name}.ptx": text for name, text in package.ptx()}
    return made | {f"{folder}/kernels/{one.file}": one.text.encode() for one in package.kernels}


def _trace(
    workload: Workload, package: KernelPackage, definition: Definition, names: PublishedNames, solution: str
) -> dict[str, Any]:
    """Return the trace of a workload: by their rule where it was judged here, without a result elsewhere."""
    sizes = example_sizes(definition, DEFINITION, workload.axes)
    dims = {name: sizes[axis] for name, axis in names.axes.items()}
    evaluation = None
    for choice in package.choices:
        if dict(choice.dims) == dims and package.kernels[choice.kernel].judgements:
            report = package.kernels[choice.kernel].judgements[0]
            evaluation = _evaluation(report, dims, workload.tolerance, package.warpwright)
    given = workload.model_dump(mode="json", exclude_none=True)
    return {"definition": definition.name, "workload": given, "solution": solution, "evaluation": evaluation}


def _evaluation(
    report: CheckReport, dims: dict[str, int], tolerance: PublishedTolerance, version: str
) -> dict[str, Any] | None:
    """What their schema says of a judgement; None where nothing was judged at these sizes, or it is not clear."""
    near = _closeness(report, dims)
    timed = None if report.profile is None else next(
        (one for one in report.profile.shapes if one.dims == dims), None
    )  # fmt: skip
    least = min(tolerance.max_atol, tolerance.max_rtol)
    clear = near is not None and near.lax_pass(least, tolerance.required_matched_ratio)
    if near is None or timed is None or not clear or near.absolute is None or near.relative is None:
        return None
    estimated = timed.provenance is not Provenance.MEASURED
    return {
        "status": "PASSED",
        "environment": {
            "hardware": f"{report.device}{' (simulated)' if estimated else ''}",
            "libs": {"warpwright": version},
        },
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "log": "latency_ms is a cost model's estimate; no GPU has run this." if estimated else "",
        "correctness": {
            "max_relative_error": near.relative,
            "max_absolute_error": near.absolute,
            "extra": {
                "warpwright_verdict": str(report.verdict),
                "lax_verdict": "pass",
                "within_for_every_element": near.all_within,
                "within_for_99_percent": near.most_within,
            },
        },
        "performance": {
            "latency_ms": timed.latency_us / 1000,
            "reference_latency_ms": 0.0,
            "speedup_factor": 0.0,
        },
    }


def _closeness(report: CheckReport, dims: dict[str, int]) -> Closeness | None:
    cases = [case for tested in (report.bench, report.test) if tested is not None for case in tested.cases]
    return worst_of(case.closeness for case in cases if case.dims == dims and case.verdict is Verdict.PASS)
