"""Waiting for a quieter machine: by the kernel's own count, and not for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import quiet

RUNNABLE = quiet.runnable


@pytest.mark.parametrize(("text", "threads"), [("0.5 0.4 0.3 7/321 4242\n", 6), ("", 0), ("1 2 3 x/9 1", 0)])
def test_the_threads_that_want_to_run_are_counted_without_this_one(
    text: str, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loadavg").write_text(text)
    monkeypatch.setattr(quiet, "_LOAD", tmp_path / "loadavg")
    assert RUNNABLE() == threads


async def test_a_busy_machine_is_waited_for_until_it_is_quieter_or_patience_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = [99, 99, 0, 99]
    monkeypatch.setattr(quiet, "_POLL_S", 0.0)
    monkeypatch.setattr(quiet, "runnable", lambda: busy.pop(0))
    await quiet.quieter()
    assert busy == [99], "asked until there was less to do"
    monkeypatch.setattr(quiet, "runnable", lambda: 99)
    await quiet.quieter(patience_s=0.02)
