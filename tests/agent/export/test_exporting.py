"""Which kernels an export takes, and where it judges them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.candidates import CandidatePlan, Submission
from agent.export.exporting import choices, devices_for, from_run
from agent.home import Home
from agent.store import Store
from sandbox.errors import UsageError
from tests.agent.export.exporting import array, small_task
from tests.agent.report.stored_search import report, search
from tests.agent.search_fakes import kernel, write_task
from tools.reports import CheckReport, ShapeTiming
from tools.tasks.task import Case


def timed(**microseconds: float) -> CheckReport:
    made = report(1.0, 1.0)
    assert made.profile is not None
    shape = made.profile.shapes[0]
    shapes = tuple(
        ShapeTiming({"n": int(name[1:])}, us, shape.provenance) for name, us in microseconds.items()
    )
    return replace(made, profile=replace(made.profile, shapes=shapes))


def test_each_benchmark_shape_gets_the_kernel_that_was_clearly_best_at_it() -> None:
    task = replace(
        small_task([{"n": 8}], array("x", "in", "n"), array("out", "out", "n")),
        benches=tuple(Case({"n": size}) for size in (10, 100, 1000)),
    )
    found = choices(task, [timed(n10=5.0, n100=5.0, n1000=5.0), timed(n10=9.0, n100=4.9, n1000=2.0)])
    assert [(one.dims["n"], one.kernel) for one in found] == [(10, 0), (100, 0), (1000, 1)]


@pytest.mark.parametrize(
    ("architectures", "device", "expected"),
    [
        ((), "sim:h200", ("sim:h200",)),
        (("sm_80", "sm_90"), "sim:h200", ("sim:h200", "sim:a100")),
        (("sm_80",), "sim:h200", ("sim:a100",)),
        (("sm_90a",), "sim:h200", ("sim:h200",)),
        (("sm_103",), "sim:h200", ("sim:h200",)),
        (("sm_80",), "cuda:0", ("cuda:0", "sim:a100")),
    ],
)
def test_every_architecture_is_judged_on_a_device_that_has_it(
    architectures: tuple[str, ...], device: str, expected: tuple[str, ...]
) -> None:
    assert devices_for(architectures, device) == expected


def test_of_a_run_the_best_kernel_comes_first_then_those_that_beat_it_at_a_shape(tmp_path: Path) -> None:
    store = Store(Home(tmp_path / "home"))
    run = search(store, write_task(tmp_path / "twice", "\n[[bench]]\ndims = { n = 64 }\n"), 0)
    latencies = [(10.0, 10.0), (30.0, 4.0), (29.0, 12.0), (31.0, 3.0)]
    for number, (large, small) in enumerate(latencies, start=1):
        sha = store.kernels.keep(run, kernel(f"{number}"))
        submission = Submission(1, number, CandidatePlan(None, ("unrolling",)), sha, ())
        store.candidates.add(run, submission)
        told = replace(timed(n4096=large, n64=small), kernel_sha=sha, tune={"BLOCK": 64})
        assert told.profile is not None
        told = replace(told, profile=replace(told.profile, latency_us=large))
        trial = submission.checked(told, 100.0)
        store.candidates.judge(run, trial)
        if number == 1:
            store.candidates.set_best(run, trial, sha)
    chosen = from_run(store, run)
    assert [(one.name, one.origin.place) for one in chosen.drafts] == [
        ("kernel.cu", "1/1"),
        ("kernel_2.cu", "1/4"),
    ]
    assert chosen.drafts[0].judgement is not None
    assert "//@ tune BLOCK = 64 in 64, 128, 256" in chosen.drafts[1].text
    (tmp_path / "twice/reference.py").write_text("def reference(x, n):\n    return {'y': 3 * x}\n")
    with pytest.raises(UsageError, match="was changed after run"):
        from_run(store, run)
