"""The harness's own kernels, run by the simulator beside NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.cuda.noise import digest_words, noise_words
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.program import Program
from sandbox.simulator.execute import running
from tests.sandbox.cuda.harness_compiling import HARNESS, without_lines

SIZE = 1000
SEED = 0xFEDC_BA98_7654_3210


def run(program: Program, kernel: str, *arguments: str | int, x: np.ndarray | None = None) -> np.ndarray:
    """Launch with `x` an input, `words` and `sum` in and out, and integers as 64-bit scalars."""
    given = np.zeros(SIZE, np.uint32) if x is None else x
    buffers = (
        BufferSpec("x", Role.IN, "uint32", SIZE),
        BufferSpec("words", Role.INOUT, "uint32", SIZE),
        BufferSpec("sum", Role.INOUT, "uint64", 2),
    )
    packed = tuple(
        BufferArgument(value) if isinstance(value, str) else ScalarArgument("uint64", value)
        for value in arguments
    )
    plan = Plan(buffers, (Launch(kernel, (3, 1, 1), (128, 1, 1), 0, packed, 1),))
    inputs = {"x": given, "words": np.zeros(SIZE, np.uint32), "sum": np.zeros(2, np.uint64)}
    result = running.run(program, plan, inputs, 1, architecture="gtx1660s")
    assert result.fault is None, result.fault
    return result.outputs["sum" if "sum" in arguments else "words"]


def test_the_shipped_ptx_is_what_the_compiler_makes_of_the_source(harness_program: Program) -> None:
    assert (HARNESS / "harness.ptx").read_text() == without_lines(harness_program.ptx)


@pytest.mark.parametrize("seed", [0, SEED])
def test_canaries_on_the_device_are_those_that_numpy_makes(harness_program: Program, seed: int) -> None:
    np.testing.assert_array_equal(
        run(harness_program, "ww_fill", "words", SIZE, seed), noise_words(seed, SIZE)
    )


def test_a_digest_on_the_device_is_the_one_that_numpy_makes(harness_program: Program) -> None:
    words = np.random.default_rng(3).integers(0, 1 << 32, SIZE, np.uint32)
    digest = run(harness_program, "ww_digest", "x", SIZE, SEED, "sum", x=words)[0]
    assert int(digest) == digest_words(words, SEED)


def test_a_digest_changes_with_every_word_every_place_and_the_seed() -> None:
    words = np.arange(64, dtype=np.uint32)
    swapped, changed = words[::-1].copy(), words ^ np.uint32(1 << 31) * (np.arange(64) == 17)
    digests = {
        digest_words(each.astype(np.uint32), seed) for each in (words, swapped, changed) for seed in (1, 2)
    }
    assert len(digests) == 6


def test_noise_looks_random_in_every_bit() -> None:
    bits = np.unpackbits(noise_words(7, 1 << 14).view(np.uint8)).reshape(-1, 8)
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 0.01)
