"""What became of a kernel, as Python programs and notebooks read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 120


@dataclass(frozen=True)
class Verdict:
    """The verdict on a kernel, and how fast it is.

    Attributes:
        verdict: `pass`, or the first failure: `wrong_result`, `memory_fault`, `compile_error`, ... `unsupported` and
            `undecided` say something of this machine, and nothing against the kernel.
        message: Why, in words, with the place of a failure.
        task: Name of the task.
        device: What judged it: a GPU, or a simulated one (`sim:h200`).
        kernel: Text of the kernel file; of the best correct one that a search found.
        latency_us: Microseconds, the geometric mean over the task's benchmark sizes. None where the kernel is not
            right, or was not timed.
        provenance: `measured` on a GPU, or `estimated` by a cost model: never to be called a measurement.
        error: Of an estimate: by what part of itself it is typically off; None where that is not known.
        speedup: The baseline's latency over this one, on the same device.
        bottleneck: What bounds it, `dram` for example.
        run: Name of the search that found it; None where nothing was searched.
        path: Where the kernel of a search lies; None where nothing was searched.
        report: All that is known, as plain JSON values: what the command prints with `--json`.
    """

    verdict: str
    message: str
    task: str
    device: str
    kernel: str = field(repr=False)
    latency_us: float | None = None
    provenance: str | None = None
    error: float | None = None
    speedup: float | None = None
    bottleneck: str | None = None
    run: str | None = None
    path: Path | None = None
    report: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    _show: Callable[[Console], None] | None = field(default=None, repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """Whether the kernel is right."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        """Return the report as the command prints it."""
        return self._shown().export_text(styles=False).strip()

    def _repr_html_(self) -> str:
        """Return the report for a notebook."""
        page = "<pre style='line-height:1.3;overflow-x:auto'>{code}</pre>"
        return self._shown().export_html(inline_styles=True, code_format=page)

    def _shown(self) -> Console:
        import io

        from rich.console import Console

        made = Console(
            record=True, width=_WIDTH, file=io.StringIO(), markup=False, highlight=False, emoji=False
        )
        if self._show is None:
            made.print(f"{self.verdict} ({self.task}, {self.device}): {self.message}")
        else:
            self._show(made)
        return made
