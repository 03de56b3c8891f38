from __future__ import annotations

from tools import progress
from tools.awaiting import together
from tools.progress import LINES, Account


def test_an_account_says_the_stage_and_how_far_it_is() -> None:
    account = Account()
    assert account.now == ""
    with progress.told_to(account):
        progress.begin("test")
        progress.count(14, 23)
    assert account.now == "test 14 of 23"


def test_nobody_who_listens_is_nobody_who_is_told() -> None:
    progress.begin("test")
    progress.count(1, 2)


async def test_parts_that_are_done_beside_each_other_are_told_apart() -> None:
    account = Account()
    said: list[str] = []

    async def work(name: str, stage: str) -> None:
        with progress.part(name):
            progress.begin(stage)
            said.append(account.now)

    with progress.told_to(account):
        await together([work("kernel 1 of 2", "compile"), work("kernel 2 of 2", "test")])
    assert said == ["kernel 1 of 2: compile", "kernel 2 of 2: test"]
    assert account.now == ""
    assert account.lines == ["kernel 1 of 2: compile, done", "kernel 2 of 2: test, done"]


def test_a_stage_with_nothing_to_do_is_not_told_as_done() -> None:
    account = Account()
    with progress.told_to(account):
        for stage, skipped in (("compile", False), ("sweep", True), ("profile", False)):
            progress.begin(stage)
            if skipped:
                progress.skip()
    assert account.lines == ["compile, done", "profile"]


def test_only_the_last_few_lines_are_remembered() -> None:
    account = Account()
    with progress.told_to(account):
        for number in range(100):
            progress.begin(f"stage {number}")
    assert account.lines[-1] == "stage 99"
    assert len(account.lines) == LINES + 1
