from __future__ import annotations

import pytest

from sandbox import facts
from sandbox.errors import MissingDependencyError
from sandbox.isolation.choose import VARIABLE


def by_name() -> dict[str, facts.Fact]:
    return {fact.name: fact for fact in facts.facts()}


def test_every_fact_that_is_not_fine_says_what_to_do() -> None:
    found = by_name()
    assert {"python", "numpy", "CUDA compiler", "isolation", "GPU", "cores", "memory"} <= found.keys()
    for fact in found.values():
        assert fact.value
        assert fact.ok == (not fact.advice)
    assert found["CUDA compiler"].value.startswith("NVRTC 13.0")


def test_a_weaker_isolation_is_shown_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "process")
    isolation = by_name()["isolation"]
    assert (isolation.ok, isolation.value) == (False, "process")
    assert isolation.advice
    monkeypatch.setenv(VARIABLE, "nonsense")
    assert "nonsense" in by_name()["isolation"].advice


def test_a_missing_compiler_is_shown_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise MissingDependencyError("pip install nvidia-cuda-nvrtc")

    monkeypatch.setattr(facts, "find_toolkit", missing)
    compiler = by_name()["CUDA compiler"]
    assert (compiler.ok, compiler.advice) == (False, "pip install nvidia-cuda-nvrtc")
