"""Occupancy against NVIDIA's own calculator."""

from __future__ import annotations

import pytest

from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.gpus.occupancy import occupancy

# What cudaOccMaxActiveBlocksPerMultiprocessor of cuda_occupancy.h (CUDA 13.0) answers for a block of threads,
# with registers a thread and bytes of shared memory: blocks on an SM, and the blocks that warps, the limit on
# blocks, registers and shared memory would allow; None where nothing is allocated.
DEVICES = ("gtx1660s", "rtx3090ti", "a100", "rtx4090", "h200")
CALCULATOR = {
    (256, 32, 0): (
        (4, 4, 16, 8, None),
        (6, 6, 16, 8, 100),
        (8, 8, 32, 8, 164),
        (6, 6, 24, 8, 100),
        (8, 8, 32, 8, 228),
    ),
    (256, 40, 0): (
        (4, 4, 16, 6, None),
        (6, 6, 16, 6, 100),
        (6, 8, 32, 6, 164),
        (6, 6, 24, 6, 100),
        (6, 8, 32, 6, 228),
    ),
    (128, 72, 0): (
        (7, 8, 16, 7, None),
        (7, 12, 16, 7, 100),
        (7, 16, 32, 7, 164),
        (7, 12, 24, 7, 100),
        (7, 16, 32, 7, 228),
    ),
    (1024, 64, 0): (
        (1, 1, 16, 1, None),
        (1, 1, 16, 1, 100),
        (1, 2, 32, 1, 164),
        (1, 1, 24, 1, 100),
        (1, 2, 32, 1, 228),
    ),
    (96, 255, 0): (
        (2, 10, 16, 2, None),
        (2, 16, 16, 2, 100),
        (2, 21, 32, 2, 164),
        (2, 16, 24, 2, 100),
        (2, 21, 32, 2, 228),
    ),
    (32, 16, 0): (
        (16, 32, 16, 128, None),
        (16, 48, 16, 128, 100),
        (32, 64, 32, 128, 164),
        (24, 48, 24, 128, 100),
        (32, 64, 32, 128, 228),
    ),
    (64, 24, 4096): (
        (16, 16, 16, 42, 16),
        (16, 24, 16, 42, 20),
        (32, 32, 32, 42, 32),
        (20, 24, 24, 42, 20),
        (32, 32, 32, 42, 45),
    ),
    (256, 48, 16384): (
        (4, 4, 16, 5, 4),
        (5, 6, 16, 5, 5),
        (5, 8, 32, 5, 9),
        (5, 6, 24, 5, 5),
        (5, 8, 32, 5, 13),
    ),
    (192, 33, 10000): (
        (5, 5, 16, 8, 6),
        (8, 8, 16, 8, 9),
        (8, 10, 32, 8, 15),
        (8, 8, 24, 8, 9),
        (8, 10, 32, 8, 20),
    ),
    (512, 128, 49152): (
        (1, 2, 16, 1, 1),
        (1, 3, 16, 1, 2),
        (1, 4, 32, 1, 3),
        (1, 3, 24, 1, 2),
        (1, 4, 32, 1, 4),
    ),
    (1024, 32, 33000): (
        (1, 1, 16, 2, 1),
        (1, 1, 16, 2, 3),
        (2, 2, 32, 2, 4),
        (1, 1, 24, 2, 3),
        (2, 2, 32, 2, 6),
    ),
    (128, 168, 24600): (
        (2, 8, 16, 3, 2),
        (3, 12, 16, 3, 3),
        (3, 16, 32, 3, 6),
        (3, 12, 24, 3, 3),
        (3, 16, 32, 3, 9),
    ),
    (480, 56, 100): (
        (2, 2, 16, 2, 256),
        (2, 3, 16, 2, 88),
        (2, 4, 32, 2, 145),
        (2, 3, 24, 2, 88),
        (2, 4, 32, 2, 202),
    ),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kernel", CALCULATOR)
def test_blocks_and_limits_are_those_of_nvidias_calculator(device, kernel):
    threads, registers, shared = kernel
    blocks, warps, most, by_registers, by_shared = CALCULATOR[kernel][DEVICES.index(device)]
    architecture = ARCHITECTURES[device]
    found = occupancy(architecture, threads, registers, shared)
    assert found.blocks == blocks
    assert found.warps == blocks * -(-threads // 32)
    assert found.fraction == found.warps * 32 / architecture.threads_per_sm
    unlimited = architecture.blocks_per_sm if by_shared is None else by_shared
    expected = {"warps": warps, "blocks": most, "registers": by_registers, "shared_memory": unlimited}
    assert found.limits == expected
    assert expected[found.limiter] == blocks


def test_the_h100_holds_what_the_h200_holds():
    for kernel in CALCULATOR:
        assert occupancy(ARCHITECTURES["h100"], *kernel) == occupancy(ARCHITECTURES["h200"], *kernel)


def test_a_block_that_fits_no_multiprocessor_is_counted_as_one():
    found = occupancy(ARCHITECTURES["gtx1660s"], 1024, 255, 0)
    assert (found.limits["registers"], found.blocks) == (0, 1)
