"""The program that Nsight Compute and compute-sanitizer look at: it runs one plan once, and ends.

Run by path: `python -I -S subject.py JOB ROLE FOLDER...`, the folders going on the import path. What it computes is
thrown away: results are judged elsewhere, without these tools in between.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

LAUNCH_REFUSED = 3
"""Exit status where the device refused or faulted, and said so itself."""


def main(argv: list[str]) -> int:
    """Read the job, run it in this process, and return the exit status."""
    job, role_name, *folders = argv
    sys.path.extend(folders)
    from sandbox import codec, message_file  # importable only once the path is set
    from sandbox.worker.messages import ProfileCall, RunCall
    from sandbox.worker.roles import load_role

    with Path(job).open("rb") as file:
        message = message_file.read(file)
    assert message is not None, "the parent has written a job"
    call = codec.from_message(message, ProfileCall)
    buffers = {buffer.name: buffer.size for buffer in call.plan.buffers}
    inputs = {name: _filled(sample, buffers[name]) for name, sample in call.samples.items()}
    role = load_role(role_name, {"buffers": [str(Path(job).with_name("buffers.json"))]})
    result: Any = role.answer(RunCall(call.program, call.plan, inputs, 0, call.architecture, call.budget))
    if result.fault is None:
        return 0
    sys.stderr.write(f"fault: {result.fault.message}\n")
    return LAUNCH_REFUSED


def _filled(sample: Any, size: int) -> Any:
    """Repeat a sample until it fills its buffer."""
    import numpy as np

    return np.resize(sample, size)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
