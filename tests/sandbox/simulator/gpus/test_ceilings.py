"""The peak rates that no estimate may beat: those of the fastest units for a task's types."""

from __future__ import annotations

import pytest

from sandbox.simulator.gpus.ceilings import ceilings


@pytest.mark.parametrize(
    ("model", "dtypes", "tflops"),
    [
        # NVIDIA's whitepapers: fp32 lanes, or three half products in place of one float32 product where that is more.
        ("rtx3090ti", ["float32"], 40.0),
        ("gtx1660s", ["float32"], 5.0),
        ("a100", ["float64"], 19.5),
        ("a100", ["float16", "float32"], 312.0),
    ],
)
def test_rates_are_those_of_the_whitepapers(model: str, dtypes: list[str], tflops: float) -> None:
    assert ceilings(model, dtypes).flops_per_s == pytest.approx(tflops * 1e12, rel=0.05)


def test_memory_moves_no_faster_than_its_peak_bandwidth() -> None:
    assert ceilings("h200", ["float32"]).bytes_per_s == pytest.approx(4.8e12, rel=0.02)
