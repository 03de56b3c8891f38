from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from agent.logs import about, log_lines
from sandbox.errors import UsageError


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WARPWRIGHT_LOG_JSON", "0")
    monkeypatch.delenv("WARPWRIGHT_LOG", raising=False)
    root, ours = logging.getLogger(), logging.getLogger("agent")
    handlers, level, own = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(own)


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


@pytest.mark.parametrize("as_json", [False, True])
def test_what_searches_say_is_logged_where_it_is_wanted_by_run_and_candidate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    monkeypatch.setenv("WARPWRIGHT_LOG", "info")
    log_lines(as_json=as_json)
    logging.getLogger("agent.search").info(
        "candidate_judged", extra=about(run="softmax-1", candidate=2, stage=None)
    )
    logging.getLogger("httpx").info("what libraries say is not")
    (line,) = capsys.readouterr().err.splitlines()
    if as_json:
        told = json.loads(line)
        assert (told["message"], told["run"], told["candidate"]) == ("candidate_judged", "softmax-1", 2)
        assert "stage" not in told
    else:
        assert line.endswith(" info agent.search: candidate_judged run=softmax-1 candidate=2")


def test_a_level_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARPWRIGHT_LOG", "loud")
    with pytest.raises(UsageError, match="expected info or warning, found 'loud'"):
        log_lines(as_json=False)
