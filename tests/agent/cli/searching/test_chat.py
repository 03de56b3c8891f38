"""`chat` with a model on a local socket, the real tools, and a person's answers on standard input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli.app import app
from prompts import load_role
from tests.agent.model_server import Answer, Question, serving

EXAMPLE = (
    load_role("drafter").partition("For example:\n")[2].replace("16777216", "65536")
)  # a second each time
KERNEL = EXAMPLE.partition("```cuda\n")[2].partition("```")[0]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("WARPWRIGHT_MODEL", raising=False)


def talk(url: str, said: str, *options: str) -> Result:
    command = ["chat", "twice a vector", "--model", "m", "--base-url", url, "--device", "sim:h200"]
    return CliRunner().invoke(app, [*command, "--candidates", "1", "--depth", "1", *options], input=said)


def test_a_request_becomes_a_task_that_is_agreed_to_then_a_kernel_then_answers(home: Path) -> None:
    drafts = iter(["I would scale it.", EXAMPLE])

    def answer(question: Question) -> Answer:
        if question.role == "drafter":
            return next(drafts)
        if question.role == "explainer":
            assert "scale" in question.body["messages"][0]["content"]
            return "Because it moves 8 bytes an element."
        return f"```cuda\n{KERNEL}```" if question.role == "coder" else "Memory decides."

    with serving(answer) as server:
        result = talk(server.url, "yes\nwhy is it faster?\n\n")
        assert "no fenced block of json" in server.of("drafter")[1].text
    assert result.exit_code == 0, result.output
    assert "--- task.toml" in result.output
    assert "estimated" in result.output
    assert "Because it moves 8 bytes an element." in result.output
    assert (home / "tasks/scale/task.toml").is_file()


def test_a_draft_that_is_declined_or_edited_into_nonsense_keeps_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho nonsense > "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    with serving(lambda question: EXAMPLE) as server:
        result = talk(server.url, "edit\nyes\nno\n")
        assert {question.role for question in server.answered} == {"drafter"}
    assert result.exit_code == 0, result.output
    assert "the task cannot be used" in result.output
    assert "nothing was kept" in result.output
    assert not (home / "tasks").exists()


def test_a_refused_draft_stays_and_its_failure_goes_back_to_the_model(home: Path) -> None:
    """With --json standard output is the result alone."""
    wrong = EXAMPLE.replace("x[i]", "x[i] + 1.0f")
    assert wrong != EXAMPLE
    drafts = iter([wrong, EXAMPLE])

    def answer(question: Question) -> Answer:
        if question.role == "drafter":
            return next(drafts)
        return f"```cuda\n{KERNEL}```" if question.role == "coder" else "Memory decides."

    with serving(answer) as server:
        result = talk(server.url, "yes\nyes\n", "--json")
        assert "A draft was refused: " in server.of("drafter")[1].text
        assert "1.0f" in server.of("drafter")[1].text
    assert result.exit_code == 0, result.output
    assert "its baseline is not correct" in result.stderr
    (kept,) = (home / "drafts").iterdir()
    assert "1.0f" in (kept / "baseline.cu").read_text()
    typed, brace, rest = result.stdout.partition("{")  # the runner shows what was typed
    assert typed.split() == ["yes", "yes"]
    found = json.loads(brace + rest)
    assert found["verdict"] == "pass"
    assert Path(found["task_folder"]) == home / "tasks/scale"


def test_a_draft_that_nobody_agrees_to_is_kept_where_input_ends(home: Path) -> None:
    with serving(lambda question: EXAMPLE) as server:
        result = talk(server.url, "")
    assert result.exit_code == 2
    (kept,) = (home / "drafts").iterdir()
    assert f"nobody agreed to the draft; it is kept at {kept}" in result.stderr
    assert (kept / "task.toml").is_file()
    assert not (home / "tasks").exists()


def test_without_a_model_chat_says_what_to_configure() -> None:
    result = CliRunner().invoke(app, ["chat", "a fast softmax"])
    assert result.exit_code == 2
    for word in ("--model", "OPENAI_API_KEY", "--base-url", "warpwright tasks"):
        assert word in result.output
