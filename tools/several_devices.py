"""One toolbox of several: a kernel passes where it passes on every device; the first one is what it is ranked by."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Self, TypeVar, cast

from sandbox.verdict import Verdict
from tools.awaiting import together
from tools.reports import AnyReport, CheckReport, CompileReport, StageReport
from tools.tasks.task import Task
from tools.toolbox import Order, Toolbox

R = TypeVar("R")


class SeveralDevices(Toolbox):
    """Has each order carried out by all of its toolboxes at once; it owns them, and is usable once entered.

    Where a kernel has tunables each device chooses its own values in a sweep; what is announced at a search's end was
    judged on all of them with those of the first.
    """

    def __init__(self, first: Toolbox, others: Sequence[Toolbox]) -> None:
        """Open nothing yet.

        Args:
            first: Its reports are those that come back.
            others: What fails on one of these fails, and the report says where.
        """
        self._all = (first, *others)
        self._open = AsyncExitStack()

    @property
    def device(self) -> str:
        """Name of the first device."""
        return self._all[0].device

    @property
    def isolation(self) -> str:
        """Name of the isolation in use for the first."""
        return self._all[0].isolation

    async def do(self, order: Order[Task, R]) -> R:
        """Carry an order out everywhere and return the first device's report; see `tools.toolbox.Toolbox`."""
        known = cast("Order[Task, AnyReport]", order)
        timed = await together(_timed(toolbox, known) for toolbox in self._all)
        (report, _), others = timed[0], timed[1:]
        for toolbox, (other, seconds) in zip(self._all[1:], others, strict=True):
            report = _with(report, toolbox.device, other, seconds)
        if isinstance(report, CompileReport):
            report = replace(report, ptx_key=_key([one for one, _ in timed]))
        return cast("R", report)

    async def aclose(self) -> None:
        """Stop every worker."""
        await self._open.aclose()

    async def __aenter__(self) -> Self:
        """Open all of them, one after the other."""
        try:
            for toolbox in self._all:
                await self._open.enter_async_context(toolbox)
        except BaseException:
            await self._open.aclose()
            raise
        return self


async def _timed(toolbox: Toolbox, order: Order[Task, AnyReport]) -> tuple[AnyReport, float]:
    begun = time.monotonic()
    return await toolbox.do(order), time.monotonic() - begun


def _with(report: AnyReport, device: str, other: AnyReport, seconds: float) -> AnyReport:
    """Return a report with what another device says: its verdict where the first one passes, and in words."""
    said = f"on {device}: {other.message or other.verdict.value}"
    changed: dict[str, Any] = {}
    if report.verdict is Verdict.PASS:
        changed = {
            "verdict": other.verdict,
            "message": f"{report.message} {said}".strip() if other.verdict is Verdict.PASS else said,
        }
    if isinstance(report, CheckReport):
        stage = StageReport(device, other.verdict, other.message, seconds)
        changed["stages"] = (*report.stages, stage)
    return replace(report, **changed)


def _key(reports: Sequence[AnyReport]) -> str:
    """Return what makes kernels one on every device; empty where one did not compile."""
    keys = [one.ptx_key for one in reports if isinstance(one, CompileReport)]
    if not all(keys):
        return ""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()
