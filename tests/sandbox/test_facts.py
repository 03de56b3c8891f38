from __future__ import annotations

import pytest

from sandbox import facts
from sandbox.errors import MissingDependencyError
from sandbox.isolation.choose import VARIABLE


def by_name() -> dict[str, facts.Fact]:
    return {fact.name: fact for fact in facts.facts()}


def test_counters_that_are_for_administrators_only_come_with_the_way_to_allow_them(tmp_path, monkeypatch):
    parameters = tmp_path / "params"
    parameters.write_text("ModifyDeviceFiles: 1\nRmProfilingAdminOnly: 1\n")
    monkeypatch.setattr(facts.os, "geteuid", lambda: 1000)
    fact = facts._counters(parameters)
    assert not fact.ok
    assert "NVreg_RestrictProfilingToAdminUsers=0" in fact.advice
    parameters.write_text("RmProfilingAdminOnly: 0\n")
    assert facts._counters(parameters).ok
    assert facts._counters(tmp_path / "none").ok


def test_gpus_are_described_where_the_driver_answers_and_trouble_is_told(monkeypatch):
    from sandbox.nsight.gpu_facts import Gpu, Gpus

    monkeypatch.setattr(facts, "find_program", lambda name: "/usr/bin/nvidia-smi" if "smi" in name else None)
    slow = Gpu({"name": "NVIDIA H200", "clocks_event_reasons.active": "0x20"})
    monkeypatch.setattr(facts.gpu_facts, "query", lambda: Gpus((slow,)))
    found = by_name()
    assert not found["GPU cuda:0"].ok
    assert "temperature" in found["GPU cuda:0"].advice
    assert not found["Nsight Compute"].ok
    assert "nsight" in found["Nsight Compute"].advice
    monkeypatch.setattr(facts.gpu_facts, "query", lambda: Gpus(problem="it hangs"))
    assert by_name()["GPU"].value == "it hangs"


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
    assert not isolation.ok
    assert isolation.value.startswith("process, with")
    assert "docs/sandbox.md" in isolation.advice
    assert isolation.advice
    monkeypatch.setenv(VARIABLE, "nonsense")
    assert "nonsense" in by_name()["isolation"].advice


def test_what_the_process_isolation_lacks_is_shown_where_it_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facts, "landlock_abi", lambda: 0)
    monkeypatch.setattr("sandbox.isolation.process.landlock_abi", lambda: 0)
    assert by_name()["Landlock"].ok == (by_name()["isolation"].value.startswith("bubblewrap"))
    monkeypatch.setenv(VARIABLE, "process")
    assert by_name()["isolation"].value == "process, without Landlock"
    assert "lsm=landlock" in by_name()["Landlock"].advice
    monkeypatch.setattr(facts, "landlock_abi", lambda: 3)
    assert (
        by_name()["Landlock"].value
        == "version 3, without network and signals and sockets, for the process isolation"
    )


def test_a_missing_compiler_is_shown_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise MissingDependencyError("pip install nvidia-cuda-nvrtc")

    monkeypatch.setattr(facts, "find_toolkit", missing)
    compiler = by_name()["CUDA compiler"]
    assert (compiler.ok, compiler.advice) == (False, "pip install nvidia-cuda-nvrtc")
