"""A connection to a cluster: which heads are begun for it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from sandbox.errors import MissingDependencyError
from tools.cluster import cluster_link
from tools.cluster.cluster_link import ClusterLink

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: pip install 'warpwright[ray]'"
)


class Head:
    """Stands for a Ray of this machine's own."""

    begun: list[Head] = []
    endings: tuple[bool, ...] = ()
    token_path = Path("token")
    address = "ray://127.0.0.1:1"

    def __init__(self, cpus: int | None) -> None:
        self.ended = self.endings[len(self.begun)]
        self.closed = False
        self.begun.append(self)

    def close(self) -> None:
        self.closed = True


def opened(monkeypatch: pytest.MonkeyPatch, *endings: bool) -> ClusterLink:
    """Open a connection to heads of which some end at once, and none else answers."""

    def connect(link: ClusterLink) -> None:
        if Head.begun[-1].ended:
            raise MissingDependencyError("no cluster answers")

    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "none")
    monkeypatch.setattr(Head, "begun", [])
    monkeypatch.setattr(Head, "endings", endings)
    monkeypatch.setattr(cluster_link, "LocalRay", Head)
    monkeypatch.setattr(ClusterLink, "_connect", connect)
    link = ClusterLink(cluster_link.LOCAL)
    link.open()
    return link


def test_where_a_head_of_ones_own_ends_at_once_another_is_begun(monkeypatch: pytest.MonkeyPatch):
    opened(monkeypatch, True, False)
    assert [head.closed for head in Head.begun] == [True, False]


def test_where_the_second_ends_too_that_is_said_and_nothing_is_left_running(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(MissingDependencyError, match="no cluster answers"):
        opened(monkeypatch, True, True)
    assert [head.closed for head in Head.begun] == [True, True]
