from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from agent.cli.logs import log_lines


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> list[str]:
    log_lines(as_json=as_json)
    log = logging.getLogger("warpwright.test")
    log.info("nothing that anybody needs")
    log.warning("two\nlines of %s", "text")
    try:
        raise ValueError("a reason")
    except ValueError:
        log.exception("a tool failed")
    return capsys.readouterr().err.splitlines()


def test_an_event_is_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = logged(capsys, as_json=False)
    assert first.endswith("Z warning warpwright.test: two lines of text")
    assert second.endswith("Z error warpwright.test: a tool failed: ValueError: a reason")


def test_an_event_is_one_line_of_json_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = map(json.loads, logged(capsys, as_json=True))
    assert (first["level"], first["logger"], first["message"]) == (
        "warning",
        "warpwright.test",
        "two\nlines of text",
    )
    assert first["time"].endswith("Z")
    assert second["exception"].splitlines()[-1] == "ValueError: a reason"
