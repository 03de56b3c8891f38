"""Before a task is frozen its person sees the draft, where the client can ask; both eras of the protocol."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from tests.tools.mcp.canned_toolbox import (
    NEW_TASK,
    PASSES,
    CannedToolbox,
    both_eras,
    client,
    error_text,
    structured,
)
from tools.mcp import agreement, registration
from tools.tasks import folder as task_folder


@dataclass
class Person:
    """Answers as told, and remembers what it was shown."""

    answer: ElicitResult
    thinks_s: float = 0.0
    shown: list[ElicitRequestFormParams] = field(default_factory=list)

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.shown.append(params)
        await asyncio.sleep(self.thinks_s)
        return self.answer


def accepts(**content: Any) -> Person:
    return Person(ElicitResult(action="accept", content=content))


def asked(person: Person, mode: Any, own: Path, toolbox: CannedToolbox | None = None) -> Any:
    return client(toolbox or CannedToolbox(tested=PASSES), mode, own, asks=person)


async def create(connected: Client, **changed: Any) -> Any:
    return await connected.call_tool("create_task", {"task": NEW_TASK | changed})


@both_eras
async def test_a_person_sees_the_whole_draft_once_and_what_they_accept_is_kept(
    mode: Any, tmp_path: Path
) -> None:
    person = accepts(keep=True)
    async with asked(person, mode, tmp_path) as connected:
        created = structured(await create(connected))
    assert created["created"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["twice"]
    (shown,) = person.shown
    for file in ("task.toml", "reference.py", "baseline.cu"):
        assert f"--- {file}" in shown.message
    assert "return {'y': 2 * x}" in shown.message
    assert set(shown.requested_schema["properties"]) == {"keep", "speedup", "changes"}


@both_eras
async def test_the_speed_up_that_a_person_wants_is_the_target_of_the_kept_task(
    mode: Any, tmp_path: Path
) -> None:
    async with asked(accepts(keep=True, speedup=4.5), mode, tmp_path) as connected:
        structured(await create(connected))
    assert task_folder.load(tmp_path / "twice").target.speedup == 4.5


@both_eras
@pytest.mark.parametrize(
    ("person", "said"),
    [
        (accepts(keep=True, changes="in float16, please"), "in float16, please"),
        (accepts(keep=False), "does not want this task"),
        (Person(ElicitResult(action="decline")), "does not want this task"),
        (Person(ElicitResult(action="cancel")), "does not want this task"),
        (accepts(speedup=-1), "speedup|schema"),
    ],
    ids=["changes", "not kept", "declined", "cancelled", "no answer of the form"],
)
async def test_what_a_person_does_not_take_is_not_kept(
    mode: Any, person: Person, said: str, tmp_path: Path
) -> None:
    toolbox = CannedToolbox(tested=PASSES)
    async with asked(person, mode, tmp_path, toolbox) as connected:
        text = error_text(await create(connected))
    assert any(part in text for part in said.split("|"))
    assert not list(tmp_path.iterdir())
    assert len(toolbox.orders) == 1


@both_eras
async def test_a_draft_is_judged_once_before_its_person_is_asked_and_they_see_what_was_found(
    mode: Any, tmp_path: Path
) -> None:
    toolbox, person = CannedToolbox(), accepts(keep=True, speedup=2)
    async with asked(person, mode, tmp_path, toolbox) as connected:
        assert structured(await create(connected))["created"]
        wrong = error_text(
            await create(connected, name="wrong", baseline=f"// WRONG\n{NEW_TASK['baseline']}")
        )
    assert "Its baseline passes." in person.shown[0].message
    assert "It takes 3 us (estimated)." in person.shown[0].message
    assert "its baseline is not correct" in wrong
    assert (len(person.shown), len(toolbox.orders)) == (1, 2)


@both_eras
async def test_nobody_is_asked_about_a_draft_that_cannot_be_used_or_is_kept_already(
    mode: Any, tmp_path: Path
) -> None:
    person = accepts(keep=True)
    async with asked(person, mode, tmp_path) as connected:
        assert "launch" in error_text(await create(connected, baseline="__global__ void k() {}"))
        assert not person.shown
        structured(await create(connected))
        again = structured(await create(connected))
    assert not again["created"]
    assert len(person.shown) == 1


@both_eras
async def test_a_client_that_cannot_ask_creates_the_task_all_the_same(mode: Any, tmp_path: Path) -> None:
    async with client(CannedToolbox(tested=PASSES), mode, tmp_path) as connected:
        assert structured(await create(connected))["created"]


async def test_a_judgement_that_takes_long_goes_on_as_a_job_once_the_person_agreed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "LONGEST_CHECK_S", 0.05)
    monkeypatch.setattr(registration, "AFTER_ANSWER_S", 0.05)
    person = accepts(keep=True)
    async with asyncio.timeout(20), asked(person, "legacy", tmp_path, CannedToolbox(seconds=60)) as connected:
        answer = structured(await create(connected))
    assert "job_status(job='job-1')" in answer["next_step"]
    assert "judged once you agree" in person.shown[0].message


async def test_an_older_client_whose_person_does_not_answer_gets_an_end_to_its_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "LONGEST_ANSWER_S", 0.05)
    person = accepts(keep=True)
    person.thinks_s = 30
    async with asyncio.timeout(20), asked(person, "legacy", tmp_path) as connected:
        text = error_text(await create(connected))
    assert "did not answer" in text
    assert "create_task again" in text
    assert not list(tmp_path.iterdir())


@both_eras
async def test_a_file_too_long_to_show_is_cut_and_says_so(mode: Any, tmp_path: Path) -> None:
    person = accepts(keep=True)
    long = NEW_TASK["reference"] + "# more\n" * 2000
    async with asked(person, mode, tmp_path) as connected:
        structured(await create(connected, reference=long))
    assert "more characters" in person.shown[0].message
    assert len(person.shown[0].message) < 10_000
