from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from sandbox.cuda.plain_run import run_plainly
from sandbox.verdict import Verdict
from tests.sandbox.cuda.recording_driver import RecordingDriver, doubling
from tests.sandbox.cuda.test_running import LAUNCH, PLAN, PROGRAM, SIZE, X


def test_nothing_but_the_candidate_is_launched_and_the_buffers_are_as_large_as_they_should_be(
    tmp_path: Path,
) -> None:
    driver, file = RecordingDriver({"_Z1kv": doubling}), tmp_path / "buffers.json"
    result = run_plainly(driver, PROGRAM, PLAN, {"x": X}, buffers_file=file)
    assert (result.fault, dict(result.outputs)) == (None, {})
    assert driver.launched() == ["_Z1kv"]
    places = json.loads(file.read_text())
    assert {name: size for name, (_, size) in places.items()} == {"x": 4 * SIZE, "y": 4 * SIZE, "small": 5}
    np.testing.assert_array_equal(driver.view(places["y"][0], 4 * SIZE).view(np.float32), 2 * X)
    assert set(driver.view(places["small"][0], 5).tolist()) == {0xEE}  # as the driver gave it


def test_what_the_device_refuses_is_a_fault() -> None:
    plan = replace(PLAN, launches=(replace(LAUNCH, shared_bytes=1 << 20),))
    fault = run_plainly(RecordingDriver({"_Z1kv": doubling}), PROGRAM, plan, {"x": X}).fault
    assert fault is not None
    assert fault.verdict is Verdict.LAUNCH_ERROR
