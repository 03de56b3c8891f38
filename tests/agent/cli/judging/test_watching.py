"""`check --watch`: judged once more whenever a file changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.cli.judging import watching
from agent.cli.judging.kernel_paths import NamedKernel
from agent.cli.outcome import ExitStatus
from sandbox.errors import UsageError


async def test_a_change_of_a_kernel_or_of_its_task_is_judged_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watching, "_LOOK_S", 0.01)
    kernel = tmp_path / "a.cu"
    kernel.write_text("1")
    judged: list[str] = []
    seen = asyncio.Event()

    async def once() -> ExitStatus:
        judged.append(kernel.read_text())
        seen.set()
        if len(judged) == 2:
            raise UsageError("half a file")
        return ExitStatus.DONE

    async def next_look() -> None:
        await asyncio.wait_for(seen.wait(), 20)
        seen.clear()

    watching_ = asyncio.create_task(watching.again_and_again(once, [NamedKernel(kernel, str(tmp_path))]))
    await next_look()
    (tmp_path / "notes.txt").write_text("nothing to judge")
    await asyncio.sleep(0.05)
    kernel.write_text("22")
    await next_look()
    (tmp_path / "reference.py").write_text("")
    await next_look()
    watching_.cancel()
    assert judged == ["1", "22", "22"]
    said = capsys.readouterr().err
    assert "warpwright: half a file" in said
    assert "changed: a.cu" in said
    assert "changed: reference.py" in said
