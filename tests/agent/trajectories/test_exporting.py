"""What searches leave to train on: lines in TRL's formats, read back and held against what was asked and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.home import Home
from agent.model_settings import ModelSettings
from agent.search.starting import start_search
from agent.store import Store
from agent.trajectories.exporting import ABOUT, Exported, export
from agent.trajectories.lines import FORMATS
from agent.trajectories.rewards import DEFINITION, NAME
from prompts import PLAIN
from sandbox.errors import UsageError
from tests.agent.model_server import Answer, Question, serving
from tests.agent.models.test_turns import Script, call
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel

FAST, SLOW = kernel("LATENCY 10"), kernel("LATENCY 80")
ABOUT_A_LINE = {"reward", "reward_definition", "verdict", "provenance", "model", "task", "run", "kernel_sha"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


async def exported(home: Home, request: Any, script: Any, folder: Path) -> Exported:
    """Search with a scripted model, and export what it was asked."""
    with serving(script) as server:
        request = request.model_copy(update={"model": "m", "base_url": server.url})
        result = await start_search(request, home=home, toolbox=FakeToolbox())
    return export(Store(home), [result.run], folder, list(FORMATS))


def is_message(message: dict[str, Any]) -> bool:
    """Whether chat templates take a message."""
    says = isinstance(message.get("content"), str) or bool(message.get("tool_calls"))
    return message["role"] in ("system", "user", "assistant", "tool") and says


async def test_a_slip_and_its_repair_give_a_line_in_each_format(home: Home, request_of, tmp_path: Path):
    script = Script("I would tile it.", fenced(kernel("BROKEN")), fenced(kernel("WRONG")), fenced(FAST))
    found = await exported(home, request_of(depth=1), script, tmp_path / "out")
    assert found.lines == {"sft": 1, "preference": 3, "stepwise": 1, "multi_turn": 1}
    assert (found.conversations, found.unasked, found.unjudged) == (1, 0, 0)
    assert found.right == (1, pytest.approx(1 + 3.459432, abs=1e-5))
    assert found.wrong == (3, 0.4)

    (sft,) = read(tmp_path / "out", "sft")
    assert [message["role"] for message in sft["messages"]] == ["system", "user", "assistant"]
    assert sft["messages"][-1]["content"] == fenced(FAST).strip()
    assert "# Task: twice" in sft["messages"][1]["content"]

    pairs = read(tmp_path / "out", "preference")
    assert {pair["rejected_verdict"] for pair in pairs} == {"rejected", "compile_error", "wrong_result"}
    for pair in pairs:
        assert pair["prompt"] == sft["messages"][:2]
        assert pair["chosen"] == [sft["messages"][-1]]
        assert pair["rejected"][0]["role"] == "assistant"
        assert pair["reward"] > pair["rejected_reward"]

    (steps,) = read(tmp_path / "out", "stepwise")
    assert isinstance(steps["prompt"], str)
    assert steps["labels"] == [False, False, False, True]
    assert steps["rewards"] == sorted(steps["rewards"])
    assert steps["completions"][0] == "I would tile it."

    (whole,) = read(tmp_path / "out", "multi_turn")
    assert [message["role"] for message in whole["messages"]] == [
        *("system", "user", "assistant", "user", "assistant", "user", "assistant", "user", "assistant")
    ]
    assert "expected 2.0" in whole["messages"][-2]["content"]


async def test_calls_of_tools_are_told_as_templates_want_them(home: Home, request_of, tmp_path: Path):
    script = Script(call("test_kernel", kernel=kernel("WRONG")), fenced(FAST))
    await exported(home, request_of(depth=1), script, tmp_path)
    (line,) = read(tmp_path, "multi_turn")
    _, _, used, told, handed = line["messages"]
    assert used["tool_calls"][0]["function"] == {
        "name": "test_kernel",
        "arguments": {"kernel": kernel("WRONG")},
    }
    assert (told["role"], told["name"]) == ("tool", "test_kernel")
    assert told["content"].startswith("**wrong_result**")
    assert handed["content"] == fenced(FAST).strip()
    assert {tool["function"]["name"] for tool in line["tools"]} > {"test_kernel", "read_features"}
    assert all(tool["function"]["parameters"]["type"] == "object" for tool in line["tools"])


async def test_every_line_says_where_its_reward_comes_from(home: Home, request_of, tmp_path: Path):
    script = Script(fenced(SLOW), fenced(FAST), *[fenced(kernel(f"WRONG {number}")) for number in range(4)])
    found = await exported(home, request_of(candidates=1, depth=3, patience=9), script, tmp_path)
    about = json.loads((tmp_path / ABOUT).read_text())
    assert about["reward_definition"] == {NAME: DEFINITION}
    assert about["files"] == {f"{name}.jsonl": count for name, count in found.lines.items()}
    for name in FORMATS:
        lines = read(tmp_path, name)
        assert len(lines) == found.lines[name]
        for line in lines:
            assert set(line) >= ABOUT_A_LINE
            assert line["provenance"] == "estimated"
            assert all(is_message(one) for key in ("messages", "prompt", "chosen", "rejected")
                       for one in line.get(key, []) if key != "prompt" or name != "stepwise")  # fmt: skip
    rewards = {line["verdict"]: line["reward"] for line in read(tmp_path, "multi_turn")}
    assert rewards["wrong_result"] < 1 < rewards["pass"]


async def test_answers_of_two_candidates_to_one_question_are_compared(
    home: Home, request_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("agent.models.chat.variants", lambda role: (PLAIN,))
    plans = '[{"parent": null, "features": ["loop_unrolling"], "why": "w"}]'
    left = [SLOW, FAST, kernel("LATENCY 10.1")]

    def answer(question: Question) -> Answer:
        if question.role == "planner":
            return json.dumps(json.loads(plans) * 3)
        return fenced(left.pop(0)) if question.role == "coder" else "Loads wait."

    await exported(home, request_of(candidates=3, depth=1), answer, tmp_path)
    pairs = read(tmp_path, "preference")
    assert [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in pairs] == [
        (fenced(FAST).strip(), fenced(SLOW).strip())
    ], "an estimate can't tell 10 from 10.1 microseconds"


async def test_the_composers_runs_give_no_lines_and_are_counted(
    home: Home, toolbox: FakeToolbox, request_of, tmp_path: Path
):
    proposer = ScriptedProposer(fenced(FAST), fenced(SLOW))
    result = await start_search(request_of(), home=home, toolbox=toolbox, proposer=proposer)
    found = export(Store(home), [result.run], tmp_path, list(FORMATS))
    assert set(found.lines.values()) == {0}
    assert (found.conversations, found.unasked) == (0, 2)


async def test_a_folder_that_holds_an_export_is_left_alone(home: Home, request_of, tmp_path: Path):
    await exported(home, request_of(depth=1), Script(fenced(FAST)), tmp_path)
    before = (tmp_path / "sft.jsonl").read_bytes()
    (run,) = Store(home).list_runs()
    with pytest.raises(UsageError, match=r"sft\.jsonl and about\.json already; name another folder"):
        export(Store(home), [run.run], tmp_path, ["sft"])
    assert (tmp_path / "sft.jsonl").read_bytes() == before
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        export(Store(home), [run.run], tmp_path / "file" / "out", ["sft"])


async def test_several_coders_are_named_on_their_lines(home: Home, request_of, tmp_path: Path):
    numbers = iter(range(30, 60))

    def answer(question: Question) -> Answer:
        return fenced(kernel(f"LATENCY {next(numbers)}")) if question.role == "coder" else "Loads wait."

    models = ModelSettings(coder=("a", "b"))
    await exported(home, request_of(candidates=6, depth=1, models=models), answer, tmp_path)
    assert {line["model"] for line in read(tmp_path, "sft")} == {"a", "b"}
