"""What every package holds beside its form: the kernel files, their task, and what was verified of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.export.forms import Form
from agent.export.packages import ExportedKernel, KernelPackage
from agent.export.rendering import rendered
from agent.report.account import KernelAccount
from agent.report.figures import amount
from agent.report.kernels import kernel_account
from agent.report.visible import visible
from sandbox.reference.torch_operators import operators_of
from sandbox.verdict import Provenance
from tools.reports import CheckReport, not_judged_text, sizes_text

_SPECIAL = re.compile(r"[\\`*{}\[\]<>#|~!]")

_SOLVED = (
    "warpwright's tests import such a solution as the benchmark does, and run its launches before a stand-in of the"
    " driver that has no GPU; the benchmark's own harness has not run it."
)
_TESTED = {
    Form.CUDA: "warpwright's tests build such a launcher with a C++ compiler, compare what it launches with what is"
    " judged, and run it before a stand-in of the driver that has no GPU.",
    Form.TORCH: "warpwright's tests register such an operator in PyTorch without CUDA, check its shapes, its fake"
    " kernel and `torch.compile`'s tracing, and run its launches by cuda.core before a stand-in of the driver that"
    " has no GPU.",
    Form.TORCH_STABLE: "warpwright's tests build such a library against PyTorch without CUDA, load it, and check its"
    " schema and its fake kernel; what it launches is held against what is judged, in the form `cuda`.",
    Form.JAX: "warpwright's tests build such a library, load it and lower calls of it for CUDA with JAX; what it"
    " launches is held against what is judged, in the form `cuda`.",
    Form.TVM_FFI: "warpwright's tests build such a library, load it by TVM-FFI, and run it on tensors of a stand-in"
    " of the driver that has no GPU.",
    Form.HF_KERNELS: "warpwright's tests import such a kernel, register its operator in PyTorch without CUDA, and run"
    " its launches before a stand-in of the driver that has no GPU.",
    Form.FLASHINFER_BENCH: _SOLVED,
    Form.SOL_EXECBENCH: _SOLVED,
    Form.CUPY: "warpwright's tests run such a module on a stand-in of CuPy that records its launches.",
    Form.PYCUDA: "warpwright's tests run such a module with PyCUDA before a stand-in of the driver that has no GPU.",
    Form.NUMBA: "warpwright's tests run such a module on a stand-in of Numba's arrays, and its launches by cuda.core"
    " before a stand-in of the driver that has no GPU.",
}


@dataclass(frozen=True)
class ToldJudgement:
    """A judgement in words.

    Attributes:
        account: What a report would say of it.
        cases: The sizes of its tests, each once.
    """

    report: CheckReport
    account: KernelAccount
    cases: tuple[str, ...]
    latencies: tuple[str, ...]
    verdict: str


def common_files(package: KernelPackage, form: Form) -> dict[str, bytes]:
    """Return the kernel files, the task's folder and VERIFICATION.md."""
    made = {f"kernels/{one.file}": one.text.encode() for one in package.kernels}
    made |= {f"task/{name}": data for name, data in package.task_files.items()}
    told = [(one, [told_judgement(one, report) for report in one.judgements]) for one in package.kernels]
    made["VERIFICATION.md"] = rendered(
        "VERIFICATION.md.j2",
        package,
        form=form,
        tested=_TESTED[form],
        told=told,
        told_sizes=sizes_text,
        unjudged=unjudged,
        plain=plain,
        in_pytorch=operators_of(package.task.reference),
        today=datetime.now(UTC).date().isoformat(),
        on_hardware=any(
            report.provenance is Provenance.MEASURED for one in package.kernels for report in one.judgements
        ),
        judged_for={
            report.compile.architecture
            for one in package.kernels
            for report in one.judgements
            if report.compile is not None
        },
    )
    return made


def told_judgement(kernel: ExportedKernel, report: CheckReport) -> ToldJudgement:
    """Return what a judgement says of a kernel."""
    account = kernel_account(report, "kernel", kernel.text)
    tested = () if report.test is None else report.test.cases
    latencies = tuple(
        f"{sizes_text(one.dims)}: {amount(one.latency.value, one.latency.unit)} ({one.latency.provenance})"
        for one in account.shapes
    )
    verdict = f"{report.verdict}{not_judged_text(report.verdict, report.not_judged)}"
    return ToldJudgement(
        report, account, tuple(dict.fromkeys(sizes_text(case.dims) for case in tested)), latencies, verdict
    )


def unjudged(kernel: ExportedKernel) -> list[tuple[int, ...]]:
    """Return the sets of values whose code no judgement ran."""
    plan, keys = kernel.compiled.plan, kernel.compiled.keys
    seen: set[tuple[int, ...]] = set()
    for report in kernel.judgements:
        for tested in (report.test, report.bench):
            for case in () if tested is None else tested.cases:
                values = plan.values(case.dims)
                seen.add(tuple(values[key] for key in keys))
    return [one.values for one in kernel.compiled.variants if one.values not in seen]


def plain(text: object) -> str:
    """Return a stranger's text on one line, with everything escaped that Markdown or HTML would read."""
    line = " ".join(visible(str(text)[:400]).split())
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", line)
