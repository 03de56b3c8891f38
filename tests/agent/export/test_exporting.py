"""Which kernels an export takes, and where it judges them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.export.exporting import choices, devices_for
from tests.agent.export.exporting import array, small_task
from tests.agent.report.stored_search import report
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
