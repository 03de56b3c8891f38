"""The poison generator."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sandbox.poison import poison_bytes


@given(seed=st.integers(0, 2**64), shorter=st.integers(0, 100), longer=st.integers(0, 100))
def test_a_shorter_request_is_a_prefix_of_a_longer_one(seed: int, shorter: int, longer: int) -> None:
    shorter, longer = sorted((shorter, longer))
    assert np.array_equal(poison_bytes(seed, "y", shorter), poison_bytes(seed, "y", longer)[:shorter])


def test_buffers_and_seeds_have_bytes_of_their_own() -> None:
    streams = [poison_bytes(seed, name, 64).tobytes() for seed in (0, 1, -1) for name in ("x", "y")]
    assert len(set(streams)) == len(streams)


def test_the_stream_never_changes() -> None:
    assert poison_bytes(7, "out", 11).tobytes().hex() == "16ff1dd5c3071fa16b0e42"


def test_the_array_is_writable_bytes() -> None:
    poison = poison_bytes(1, "x", 5)
    poison[0] = 3
    assert poison.dtype == np.uint8
    assert poison.shape == (5,)
