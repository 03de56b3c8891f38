"""What compute-sanitizer prints becomes faults with kernel, line, block, thread and buffer."""

from __future__ import annotations

import pytest

from sandbox.nsight.sanitizer_report import read
from sandbox.verdict import Verdict
from tests.sandbox.nsight.stand_ins import recorded

SYMBOL = "_Z7doubledPKfPfi"
NAMES = {SYMBOL: "doubled"}
BUFFERS = {"x": (0x7F48D9000000, 4000), "y": (0x7F48D8800000, 4000)}


def findings(name: str):
    return read(recorded(name, symbol=SYMBOL), NAMES, BUFFERS).findings


def test_an_access_out_of_bounds_names_kernel_line_thread_and_buffer():
    report = read(recorded("memcheck.txt", symbol=SYMBOL), NAMES, BUFFERS)
    assert report.total == 24
    assert len(report.findings) == 2
    fault = report.findings[0].fault
    assert (fault.verdict, fault.kernel, fault.line) == (Verdict.MEMORY_FAULT, "doubled", 4)
    assert (fault.block, fault.thread) == ((3, 0, 0), (232, 0, 0))
    assert (fault.buffer, fault.offset) == ("y", 4000)
    assert fault.message == (
        "Invalid __global__ write of size 4 bytes, Access to 0x7f48d8800fa0 is out of bounds, "
        "at byte offset 4000 from the start of y, in doubled"
    )


def test_older_releases_are_understood():
    (found,) = findings("memcheck_older.txt")
    assert (found.fault.kernel, found.fault.line) == ("doubled", 6)
    assert (found.fault.buffer, found.fault.offset) == ("y", 1)


def test_a_race_names_both_accesses_and_a_warning_is_one():
    warning, error = findings("racecheck.txt")
    assert warning.warning
    assert not error.warning
    assert (error.fault.verdict, error.fault.kernel, error.fault.line) == (Verdict.RACE, "doubled", 7)
    assert "and Read access at _Z7doubledPKfPfi+0x100 in kernel.cu:9 [508 hazards]" in error.fault.message


@pytest.mark.parametrize(
    ("name", "verdict", "line", "block", "thread"),
    [
        ("initcheck.txt", Verdict.UNINITIALIZED, 3, (1, 0, 0), (31, 0, 0)),
        ("synccheck.txt", Verdict.BARRIER_DIVERGENCE, 61, (0, 2, 0), (19, 0, 0)),
    ],
)
def test_other_tools_findings_have_their_verdicts(name, verdict, line, block, thread):
    ((found),) = findings(name)
    fault = found.fault
    assert (fault.verdict, fault.kernel, fault.line) == (verdict, "doubled", line)
    assert (fault.block, fault.thread) == (block, thread)


@pytest.mark.parametrize(
    ("text", "total"),
    [
        (recorded("sanitizer_clean.txt"), 0),
        (recorded("racecheck_clean.txt"), 0),
        (recorded("sanitizer_failed.txt"), None),
        ("", None),
        ("ERROR SUMMARY: 0 errors\n", None),
    ],
)
def test_silence_says_something_only_with_the_tools_own_summary(text, total):
    report = read(text, NAMES, BUFFERS)
    assert report.findings == ()
    assert report.total == total


def test_an_address_far_from_every_buffer_names_none():
    text = recorded("memcheck.txt", symbol=SYMBOL).replace("0x7f48d8800fa0", "0x10")
    fault = read(text, NAMES, BUFFERS).findings[0].fault
    assert (fault.buffer, fault.offset) == (None, None)
