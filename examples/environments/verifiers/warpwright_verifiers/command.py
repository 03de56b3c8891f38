"""warpwright's command line: which tasks there are, and what it says of a kernel."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(```+|~~~+)[^\n]*\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_PROMPT = """\
Write a fast CUDA kernel file for this task. It must compute what the reference does, at every size of the task, and
it is timed at the sizes of [[bench]] on {device}.

task.toml:
```toml
{table}```

reference.py, in NumPy, says what is right:
```python
{reference}```

A plain kernel file that is right; a first line `//@ launch` says how it is launched:
```cuda
{baseline}```

Answer with one whole kernel file in one fenced ```cuda block.
"""


class CannotJudgeError(RuntimeError):
    """Nothing is known of the kernel: warpwright is not there, or its machine could not judge."""


@dataclass(frozen=True)
class Judged:
    """What came of one answer; `speedup` is over the task's plain kernel, 0 where it was not timed."""

    verdict: str
    message: str
    reward: float
    speedup: float


def command() -> list[str]:
    """Return the command, of WARPWRIGHT_COMMAND."""
    return shlex.split(os.environ.get("WARPWRIGHT_COMMAND", "warpwright"))


def task_folders() -> dict[str, Path]:
    """Return every task's folder, by its name.

    Raises:
        CannotJudgeError: The command does not answer.
    """
    try:
        said = subprocess.run([*command(), "tasks", "--json"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotJudgeError(f"`{shlex.join(command())} tasks` gives no tasks: {error}") from error
    return {one["name"]: Path(one["folder"]) for one in json.loads(said.stdout)}


def prompt_of(folder: Path, device: str) -> str:
    """Return what a model is asked for a task."""
    table, reference, baseline = (
        (folder / name).read_text() for name in ("task.toml", "reference.py", "baseline.cu")
    )
    return _PROMPT.format(device=device, table=table, reference=reference, baseline=baseline)


def kernel_in(answer: str) -> str:
    """Return the last fenced block that is a kernel file, else the last one, else the whole answer."""
    blocks = [match[2] for match in _FENCE.finditer(answer.replace("\r\n", "\n"))]
    kernels = [block for block in blocks if "__global__" in block]
    return (kernels or blocks or [answer])[-1]


async def judge(answer: str, task: str, options: Sequence[str] = ()) -> Judged:
    """Have an answer judged.

    Args:
        answer: What the model said.
        task: A task's name or folder.
        options: Of `warpwright check`, for example `--device sim:a100`.

    Raises:
        CannotJudgeError: There is no verdict on the kernel.
    """
    with tempfile.TemporaryDirectory(prefix="warpwright-answer-") as folder:
        kernel = Path(folder) / "kernel.cu"
        kernel.write_text(kernel_in(answer))
        asked = [*command(), "check", str(kernel), "--task", task, "--format", "reward", *options]
        try:
            process = await asyncio.create_subprocess_exec(
                *asked, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise CannotJudgeError(f"`{asked[0]}` cannot be run: {error}") from error
        try:
            out, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    try:
        said = json.loads(out)
    except ValueError:
        raise CannotJudgeError(
            complaint.decode(errors="replace")[-2000:] or "warpwright said nothing"
        ) from None
    if said.get("reward") is None:
        raise CannotJudgeError(f"{said.get('verdict')}: {said.get('message') or said.get('error')}")
    return Judged(said["verdict"], said["message"], said["reward"], said["speedup"] or 0.0)
