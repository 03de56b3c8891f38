"""Stand-ins for NVIDIA's programs: they look whether there is a job to run, and say what was recorded.

The texts under recorded/ follow the tools' documentation and what people published of them; the numbers are made up.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.program import Program
from tests import compiling

RECORDED = Path(__file__).parent / "recorded"
SAMPLE = np.arange(10, dtype=np.float32)
SIZE = 1000
SOURCE = """
__global__ void doubled(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
"""
STAND_IN = """#!{python}
import json, pathlib, sys
script, words = json.loads(pathlib.Path({script!r}).read_text()), sys.argv[1:]
calls = pathlib.Path({script!r} + ".calls")
earlier = calls.read_text().splitlines() if calls.exists() else []
calls.write_text("\\n".join([*earlier, json.dumps(words)]))
act = script[min(len(earlier), len(script) - 1)]
if not any(word.endswith("/job") and pathlib.Path(word).stat().st_size for word in words):
    sys.exit("no job to look at")
if "--log-file" in words:
    pathlib.Path(words[words.index("--log-file") + 1]).write_text(act["says"])
else:
    print(act["says"])
sys.exit(act.get("status", 0))
"""


class StandIn:
    """A program that follows a script: one entry a call, the last one for all further calls."""

    def __init__(self, folder: Path, name: str, script: list[dict[str, object]]) -> None:
        self.path = folder / name
        self._script = folder / f"{name}.script"
        self._script.write_text(json.dumps(script))
        self.path.write_text(STAND_IN.format(python=sys.executable, script=str(self._script)))
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        lines = Path(f"{self._script}.calls")
        return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def recorded(name: str, **replaced: str) -> str:
    text = (RECORDED / name).read_text()
    for old, new in replaced.items():
        text = text.replace(f"<{old}>", new)
    return text


@lru_cache
def doubled() -> tuple[Program, Plan]:
    program = compiling.program(SOURCE, ("doubled",))
    buffers = (BufferSpec("x", Role.IN, "float32", SIZE), BufferSpec("y", Role.OUT, "float32", SIZE))
    arguments = (BufferArgument("x"), BufferArgument("y"), ScalarArgument("int32", SIZE))
    launch = Launch("doubled", (4, 1, 1), (256, 1, 1), 0, arguments, 3)
    return program, Plan(buffers, (launch, launch))
