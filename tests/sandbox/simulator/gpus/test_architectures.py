"""The table of GPUs: derived peaks are the published ones, and every number has its source."""

from __future__ import annotations

from dataclasses import fields

import pytest

from sandbox.simulator.documents import gpu_table
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.gpus.sources import CITATIONS, source

# TFLOPS of float32, float64 and float16 outside the tensor cores, and GB/s of memory, as NVIDIA publishes them
# (data sheets and whitepapers; float16 of the H100 is twice its float32).
PUBLISHED = {
    "gtx1660s": (5.0, 0.157, 10.0, 336),
    "rtx3090ti": (40.0, 0.625, 40.0, 1008),
    "a100": (19.5, 9.7, 78.0, 2039),
    "rtx4090": (82.6, 1.29, 82.6, 1008),
    "h100": (67.0, 34.0, 134.0, 3350),
    "h200": (67.0, 34.0, 134.0, 4800),
    "a6000": (38.7, 0.605, 38.7, 768),
    "l4": (30.3, 0.473, 30.3, 300),
    "l20": (59.8, 0.934, 59.8, 864),
    "l40s": (91.6, 1.43, 91.6, 864),
    "rtx5090": (104.8, 1.64, 104.8, 1792),
    "b200": (74.4, 37.2, 148.9, 8000),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_peaks_that_follow_from_the_numbers_are_the_published_ones(name):
    one = ARCHITECTURES[name]
    clock = 2 * one.multiprocessors * one.clock_mhz / 1e6
    peaks = [clock * lanes for lanes in (one.fp32_lanes, one.fp64_lanes, one.fp16_lanes)]
    assert [*peaks, one.dram_gbps] == pytest.approx(PUBLISHED[name], rel=0.02)


# Bus width in bits times gigabits a second and pin, over eight (data sheets).
@pytest.mark.parametrize(
    ("name", "bits", "rate"),
    [
        ("gtx1660s", 192, 14),
        ("rtx3090ti", 384, 21),
        ("rtx4090", 384, 21),
        ("a6000", 384, 16),
        ("rtx5090", 512, 28),
    ],
)
def test_bandwidth_follows_from_the_bus(name, bits, rate):
    assert ARCHITECTURES[name].dram_gbps == bits * rate / 8


# TFLOPS of dense fp16 into fp32 (data sheets: professional boards sum at the full rate, the L20 at half of it).
@pytest.mark.parametrize(
    ("name", "published"),
    [("a6000", 154.8), ("l4", 121.0), ("l20", 119.5), ("l40s", 362.0), ("rtx5090", 209.5)],
)
def test_peaks_of_summing_in_float32_are_the_published_ones(name, published):
    one = ARCHITECTURES[name]
    peak = 2 * one.multiprocessors * one.clock_mhz / 1e6 * one.tensor.of("f16_f32")
    assert peak == pytest.approx(published, rel=0.02)


# TFLOPS of dense fp16 into fp16 (data sheets and whitepapers). mma.sync reaches 62 percent of the H100's 1,070 at
# this clock.
@pytest.mark.parametrize(
    ("name", "published"), [("rtx3090ti", 160), ("a100", 312), ("rtx4090", 330.3), ("h200", 0.62 * 1070)]
)
def test_peaks_of_the_tensor_cores_are_the_published_ones(name, published):
    one = ARCHITECTURES[name]
    assert 2 * one.multiprocessors * one.clock_mhz / 1e6 * one.tensor.of("f16_f16") == pytest.approx(
        published, rel=0.02
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_number_names_its_source(name):
    for attribute in fields(Architecture):
        if attribute.name != "name":
            letter = source(ARCHITECTURES[name], attribute.name).partition(":")[0].partition(",")[0]
            assert letter in CITATIONS, attribute.name


def test_nearer_memory_answers_sooner_and_holds_less():
    for one in ARCHITECTURES.values():
        assert one.shared_latency <= one.l1_latency < one.l2_latency < one.dram_latency
        assert one.shared_per_block <= one.shared_per_sm < one.l1_bytes < one.l2_bytes
        assert one.l2_bytes_per_clock * one.clock_mhz / 1e3 > one.dram_gbps


def test_the_document_is_what_the_table_says():
    assert gpu_table.DOCUMENT.read_text() == gpu_table.table(), (
        "run: python -m sandbox.simulator.documents.gpu_table"
    )
