from __future__ import annotations

import io

from rich.console import Console

from agent.cli.report_view import show_profile
from sandbox.verdict import Provenance, Verdict
from tools.reports import ProfileReport, ShapeTiming, Timing

TIMING = Timing(
    pairs=30, speedup=2.5, speedup_low=2.4, speedup_high=2.6, p10_us=9.8, p90_us=10.4, warm_us=8.25, gap_us=1.5,
    empty_us=2.125, clock_mhz=1755.0, dropped=0, judged=3, unkept=0, notes=("compare warm times",),
)  # fmt: skip
REPORT = ProfileReport(
    Verdict.PASS, "", 10.0, Provenance.MEASURED, 2.5,
    (ShapeTiming({"n": 4096}, 10.0, Provenance.MEASURED, 24.0, (), TIMING),),
)  # fmt: skip


def test_a_measured_speed_up_is_shown_with_how_sure_it_is() -> None:
    console = Console(file=io.StringIO(), width=200)
    show_profile(console, REPORT, device="cuda:0")
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2.4 to 2.6 times as fast (95%, 30 pairs)" in shown
    assert "empty kernel 2.12 us, warm 8.25 us, 1755 MHz, compare warm times" in shown
    assert "2.5" in shown
    assert "2.40x" not in shown  # the ratio of medians is not the median of ratios
