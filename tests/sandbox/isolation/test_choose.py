from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import MissingDependencyError, UsageError
from sandbox.isolation import bubblewrap
from sandbox.isolation.base import Isolation, installed
from sandbox.isolation.choose import VARIABLE, choose_isolation, why_not_stronger


@pytest.fixture
def broken_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'no permission to make namespaces' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "_programs", lambda: [program])
    bubblewrap._working_program.cache_clear()  # pyright: ignore[reportPrivateUsage]
    yield
    bubblewrap._working_program.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_bubblewrap_is_the_default_where_it_starts(
    bubblewrapped: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert choose_isolation().name == "bubblewrap"
    assert why_not_stronger(choose_isolation()) == ""


def test_the_environment_names_the_isolation_and_an_argument_wins_over_it(
    bubblewrapped: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "process")
    assert choose_isolation().name == "process"
    assert VARIABLE in why_not_stronger(choose_isolation())
    assert choose_isolation("bubblewrap").name == "bubblewrap"


def test_an_unknown_isolation_is_a_usage_error_that_lists_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "chroot")
    with pytest.raises(UsageError, match="auto, bubblewrap, docker, process"):
        choose_isolation()


@pytest.mark.usefixtures("broken_bubblewrap")
def test_where_bubblewrap_cannot_start_the_process_isolation_is_used_and_the_reason_is_kept() -> None:
    isolation = choose_isolation("auto")
    assert isolation.name == "process"
    assert "no permission to make namespaces" in why_not_stronger(isolation)
    with pytest.raises(MissingDependencyError, match="no permission"):
        choose_isolation("bubblewrap")


def test_a_package_that_is_missing_is_named_with_the_way_to_get_it() -> None:
    with pytest.raises(MissingDependencyError, match="pip install no_such_package"):
        installed(["no_such_package"])
