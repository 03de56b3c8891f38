"""What a soak says of what it held; the searching itself is that of the supervisor's own tests."""

from __future__ import annotations

import pytest

from benchmarks.search_soak import Held, Soaked


def held(candidates: int, memory: float = 200, descriptors: int = 30, disk: float = 0) -> Held:
    return Held(1.0, 1, candidates, memory, descriptors, 5, disk)


STEADY = tuple(held(100 * quarter, disk=2000.0 * quarter) for quarter in range(5))


def test_what_a_candidate_leaves_is_told_by_quarters() -> None:
    assert Soaked(STEADY, 0.1, 0).disk_kb_a_candidate == [20.0] * 4
    assert Soaked(STEADY, 0.1, 0).grew == []


@pytest.mark.parametrize(
    ("last", "failed", "grew"),
    [
        (held(400, memory=225, disk=8000), 0, ["memory"]),
        (held(400, descriptors=39, disk=8000), 0, ["descriptors"]),
        (held(400, disk=8600), 0, ["disk"]),
        (held(400, disk=8000), 1, ["failures"]),
    ],
)
def test_what_grows_is_named(last: Held, failed: int, grew: list[str]) -> None:
    assert Soaked((*STEADY[:4], last), 0.1, failed).grew == grew
