"""Runs a plan once with nothing of the harness around it, for the tools that look at a process from outside.

Buffers are as large as the plan says, and what nobody wrote is left as the driver gives it: compute-sanitizer sees
the first byte outside, and reads of what nobody wrote. Results are not judged.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox.cuda.buffers import Array, as_bytes
from sandbox.cuda.driver import Driver, DriverError
from sandbox.cuda.loading import Loaded, RefusedError, refusal
from sandbox.device import RunResult
from sandbox.plan import Plan
from sandbox.program import Program


def run_plainly(
    driver: Driver,
    program: Program,
    plan: Plan,
    inputs: Mapping[str, Array],
    *,
    buffers_file: Path | None = None,
) -> RunResult:
    """Execute a plan once; the process is expected to end soon after.

    Args:
        driver: The GPU.
        program: Compiled for its architecture.
        plan: What to launch.
        inputs: Flat arrays for in and inout buffers.
        buffers_file: Where to write, as JSON before the first launch, address and bytes of every buffer by name.

    Returns:
        A result without outputs.

    Raises:
        DriverError: The machine failed, not the candidate.
    """
    started = time.monotonic()
    try:
        loaded = Loaded(driver, program)
        places = _placed(driver, plan)
        for name, data in inputs.items():
            driver.to_device(places[name][0], as_bytes(data))
        if buffers_file is not None:
            buffers_file.write_text(json.dumps(places))
        loaded.fill_constants(plan, lambda name: places[name][0])
        for launch in plan.launches:
            loaded.launch(launch, loaded.prepare(launch, lambda name: places[name][0]))
            loaded.finish(launch)
    except RefusedError as refused:
        return RunResult(refused.fault, seconds=time.monotonic() - started)
    return RunResult(None, seconds=time.monotonic() - started)


def _placed(driver: Driver, plan: Plan) -> dict[str, tuple[int, int]]:
    places: dict[str, tuple[int, int]] = {}
    try:
        for buffer in plan.buffers:
            size = buffer.nbytes
            places[buffer.name] = (driver.allocate(size), size)
    except DriverError as error:
        raise refusal(error, "the plan's buffers do not fit the GPU", None) from error
    return places
