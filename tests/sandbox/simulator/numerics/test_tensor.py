"""What the cost model knows of tensor cores: rates against published figures, kinds of instructions."""

from __future__ import annotations

import pytest

from sandbox.simulator.cost.pipes import LSU, TENSOR, cost_of
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.numerics.tensor import matrix_work
from sandbox.simulator.ptx.syntax import Instruction

PUBLISHED = [
    # NVIDIA A100 whitepaper, dense peak rates, 10^12 operations a second.
    ("a100", "f16_f32", 312.0),
    ("a100", "bf16_f32", 312.0),
    ("a100", "tf32_f32", 156.0),
    ("a100", "f64", 19.5),
    ("a100", "i8", 624.0),
    ("a100", "i4", 1248.0),
    ("a100", "b1", 4992.0),
    # NVIDIA Ada whitepaper, GeForce RTX 4090.
    ("rtx4090", "f16_f16", 330.3),
    ("rtx4090", "f16_f32", 165.2),
    ("rtx4090", "tf32_f32", 82.6),
    ("rtx4090", "f8_f16", 660.6),
    ("rtx4090", "f8_f32", 330.3),
    ("rtx4090", "i8", 660.6),
    # NVIDIA Ada whitepaper, GeForce RTX 3090 Ti.
    ("rtx3090ti", "f16_f16", 160.0),
    ("rtx3090ti", "f16_f32", 80.0),
    ("rtx3090ti", "tf32_f32", 40.0),
    ("rtx3090ti", "i8", 320.0),
    # NVIDIA H100 data sheet: float64 on the tensor cores.
    ("h100", "f64", 67.0),
]


@pytest.mark.parametrize(("name", "kind", "published"), PUBLISHED)
def test_rates_give_the_published_peaks(name, kind, published):
    gpu = ARCHITECTURES[name]
    peak = 2 * gpu.tensor.of(kind) * gpu.multiprocessors * gpu.clock_mhz / 1e6
    assert peak == pytest.approx(published, rel=0.01)


def test_no_gpu_with_tensor_cores_is_faster_on_wider_elements():
    order = ("b1", "i8", "f16_f16", "f16_f32", "tf32_f32", "f64")
    for name in ("a100", "rtx4090", "rtx3090ti", "h100", "h200"):
        rates = [ARCHITECTURES[name].tensor.of(kind) for kind in order]
        assert rates == sorted(rates, reverse=True), name


def instruction(mnemonic: str) -> Instruction:
    opcode, *modifiers = mnemonic.split(".")
    return Instruction(opcode, tuple(modifiers), (), None, 1, mnemonic)


@pytest.mark.parametrize(
    ("mnemonic", "kind", "multiply_adds", "instructions"),
    [
        ("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "bf16_f32", 2048, 1),
        ("mma.sync.aligned.m8n8k4.row.col.f16.f16.f16.f16", "f16_f16", 1024, 1),
        ("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64", "f64", 256, 1),
        ("mma.sync.aligned.m16n8k32.row.col.f16.e4m3.e5m2.f16", "f8_f16", 4096, 1),
        ("mma.sync.aligned.m8n8k16.row.col.satfinite.s32.u8.s8.s32", "i8", 1024, 1),
        ("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.xor.popc", "b1", 32768, 1),
        ("wmma.mma.sync.aligned.row.col.m16n16k16.f32.f16", "f16_f32", 4096, 2),
        ("wmma.mma.sync.aligned.row.col.m32n8k16.s32.s8.s8.s32.satfinite", "i8", 4096, 2),
        ("wmma.mma.sync.aligned.row.row.m16n16k8.f32.tf32.tf32.f32", "tf32_f32", 2048, 2),
    ],
)
def test_matrix_instructions_are_told_apart(mnemonic, kind, multiply_adds, instructions):
    work = matrix_work(instruction(mnemonic))
    assert work is not None
    assert (work.kind, work.multiply_adds, work.instructions) == (kind, multiply_adds, instructions)
    assert cost_of(instruction(mnemonic)).pipe == TENSOR


@pytest.mark.parametrize(
    ("mnemonic", "accesses"),
    [
        ("wmma.load.a.sync.aligned.row.m16n16k16.shared.f16", 4),
        ("wmma.load.b.sync.aligned.col.m8n32k16.global.bf16", 8),
        ("wmma.load.a.sync.aligned.row.m16n16k16.s8", 2),
        ("wmma.load.b.sync.aligned.row.m16n16k8.tf32", 4),
        ("wmma.load.c.sync.aligned.row.m16n16k16.global.f32", 4),
        ("wmma.store.d.sync.aligned.col.m16n16k16.global.f16", 4),
        ("wmma.load.a.sync.aligned.row.m8n8k4.f64", 1),
    ],
)
def test_tiles_cost_an_access_for_each_part_that_moves_at_once(mnemonic, accesses):
    assert matrix_work(instruction(mnemonic)) is None
    cost = cost_of(instruction(mnemonic))
    assert (cost.pipe, cost.weight) == (LSU, accesses)
