"""compute-sanitizer in front of a job: what it is asked, and what is made of its answers."""

from __future__ import annotations

import pytest

from sandbox.nsight.job import PlanRunner
from sandbox.nsight.sanitizer import NOT_INSTALLED, TOOLS, Sanitizer
from sandbox.verdict import Verdict
from tests.sandbox.nsight.stand_ins import SAMPLE, SIZE, doubled, recorded

TARGET = PlanRunner("simulate", "h200", packages=("numpy", "ml_dtypes"))
CLEAN = recorded("sanitizer_clean.txt")


async def inspect(sanitizer: Sanitizer):
    program, plan = doubled()
    return await sanitizer.inspect(program, plan, {"x": SAMPLE.repeat(SIZE // 10)}, deadline_s=30)


def symbol() -> str:
    return doubled()[0].symbols["doubled"]


async def test_every_tool_runs_where_none_finds_anything(stand_in):
    program = stand_in("compute-sanitizer", CLEAN, recorded("racecheck_warning.txt", symbol=symbol()), CLEAN)
    inspection = await inspect(Sanitizer(TARGET, program=program.path))
    assert inspection.fault is None
    assert inspection.tools == TOOLS
    assert inspection.message.startswith(
        "memcheck, racecheck, initcheck, synccheck found nothing; racecheck warns"
    )
    assert [call[call.index("--tool") + 1] for call in program.calls] == list(TOOLS)
    assert all("--error-exitcode" in call and "--print-limit" in call for call in program.calls)


async def test_the_first_error_ends_the_inspection_and_is_its_fault(stand_in):
    race = recorded("racecheck.txt", symbol=symbol())
    program = stand_in("compute-sanitizer", CLEAN, race, status=86)
    inspection = await inspect(Sanitizer(TARGET, program=program.path))
    assert inspection.fault is not None
    assert (inspection.fault.verdict, inspection.fault.kernel) == (Verdict.RACE, "doubled")
    assert inspection.tools == ("memcheck", "racecheck")
    assert len(program.calls) == 2


async def test_an_option_that_an_older_release_lacks_is_left_out(stand_in):
    refused = "unrecognised option '--initcheck-address-space'"
    program = stand_in("compute-sanitizer", CLEAN, CLEAN, refused, CLEAN)
    inspection = await inspect(Sanitizer(TARGET, program=program.path))
    assert inspection.tools == TOOLS
    assert "--initcheck-address-space" in program.calls[2]
    assert "--initcheck-address-space" not in program.calls[3]
    assert program.calls[3][program.calls[3].index("--tool") + 1] == "initcheck"


async def test_a_tool_that_fails_is_no_clean_bill(stand_in):
    program = stand_in("compute-sanitizer", recorded("sanitizer_failed.txt"))
    inspection = await inspect(Sanitizer(TARGET, program=program.path))
    assert inspection.fault is None
    assert inspection.tools == ()
    assert inspection.message.startswith("nothing was looked for; memcheck did not say what it found")


async def test_without_it_the_message_says_so(monkeypatch):
    monkeypatch.setattr("sandbox.nsight.sanitizer.find_program", lambda name: None)
    assert (await inspect(Sanitizer(TARGET))).message == NOT_INSTALLED


@pytest.mark.parametrize("text", ["", "not JSON", '{"y": 3}', "[1]", '{"y": ["a", 1]}'])
async def test_places_of_buffers_that_make_no_sense_are_left_out(stand_in, tmp_path, monkeypatch, text):
    from sandbox.nsight import sanitizer as module
    from sandbox.nsight.job import BUFFERS, PreparedPlan

    (tmp_path / BUFFERS).write_text(text)
    assert module._buffers(PreparedPlan(tmp_path, ())) == {}
