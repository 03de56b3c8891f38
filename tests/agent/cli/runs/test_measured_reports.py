from __future__ import annotations

import io

from rich.console import Console

from agent.cli.judging.report_view import show_profile
from sandbox.device import Bottleneck, Breakdown, Cause, Hotspot, LaunchProfile, Part, WhatIf
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


def test_an_estimate_is_shown_with_its_parts_what_would_change_it_and_where_to_look() -> None:
    found = Breakdown((Part(Bottleneck.L1, 8.1),), 2.0, 7.3, (WhatIf(Cause.BANK_CONFLICTS, 4.0),), 0.1)
    hot = (Hotspot(4, "st", "sectors per request", 32.0, 0.8, "y[i] = 0;"),)
    launch = LaunchProfile(
        "k", 1, 9.0, Provenance.ESTIMATED, Bottleneck.L1, 0.5, 1, 2, hotspots=hot, breakdown=found
    )
    shape = ShapeTiming({"n": 8}, 9.0, Provenance.ESTIMATED, None, (launch,))
    console = Console(file=io.StringIO(), width=200)
    show_profile(
        console,
        ProfileReport(Verdict.PASS, "", 9.0, Provenance.ESTIMATED, shapes=(shape,)),
        device="sim:h200",
    )
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "needs, in us: l1 8.1, launch 2; least possible 7.3 us" in shown
    assert "if only this changed: no bank conflicts: 4 us" in shown
    assert "4 | y[i] = 0;   <- 32 sectors per request, 80% of the launch's" in shown


def test_a_measured_speed_up_is_shown_with_how_sure_it_is() -> None:
    console = Console(file=io.StringIO(), width=200)
    show_profile(console, REPORT, device="cuda:0")
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2.4 to 2.6 times as fast (95%, 30 pairs)" in shown
    assert "empty kernel 2.12 us, warm 8.25 us, 1755 MHz, compare warm times" in shown
    assert "2.5" in shown
    assert "2.40x" not in shown  # the ratio of medians is not the median of ratios
