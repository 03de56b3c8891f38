from __future__ import annotations

import asyncio
import json
import socket

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sandbox import wire
from sandbox.async_channel import AsyncChannel
from sandbox.dtypes import DTYPE_BYTES
from sandbox.errors import WorkerProtocolError
from sandbox.wire import BlockingChannel, Message, MessageLimits

LIMITS = MessageLimits(header=10_000, total=1_000_000)
GENEROUS = MessageLimits()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
arrays = hnp.arrays(
    st.sampled_from([np.dtype(name) for name in sorted(DTYPE_BYTES.keys() - {"bfloat16"})]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)
buffers = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=50) | arrays), max_size=4)


def through_blocking_sockets(message: Message, limits: MessageLimits = GENEROUS) -> Message:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        BlockingChannel(ours, limits).send(message)
        return BlockingChannel(theirs, limits).receive()


async def received_by_parent(raw: bytes, limits: MessageLimits = LIMITS) -> Message:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(raw)
        ours.setblocking(False)
        async with asyncio.timeout(5):
            return await AsyncChannel(ours).receive(limits)


def raw(header: object, *, magic: bytes = b"warpwright:") -> bytes:
    text = json.dumps(header).encode() + b"\n"
    return magic + f"{len(text):012x}".encode() + b"\n" + text


def assert_same(left: wire.Buffer, right: wire.Buffer) -> None:
    if isinstance(left, bytes) or isinstance(right, bytes):
        assert left == right
        return
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    assert left.tobytes() == right.tobytes()


@given(json_values, buffers)
def test_a_message_arrives_as_it_was_sent(body: object, sent: list[tuple[str, wire.Buffer]]) -> None:
    received = through_blocking_sockets(Message(body, tuple(sent)))
    assert received.body == body
    assert [name for name, _ in received.buffers] == [name for name, _ in sent]
    for (_, left), (_, right) in zip(received.buffers, sent, strict=True):
        assert_same(left, right)


def test_bfloat16_and_strided_arrays_arrive_whole() -> None:
    half = np.arange(6).astype(ml_dtypes.bfloat16)
    strided = np.arange(20.0).reshape(4, 5)[::2, ::-1]
    received = through_blocking_sockets(
        Message(None, (("a", half), ("b", strided), ("c", strided.astype(">f8"))))
    )
    assert_same(received.buffers[0][1], half)
    np.testing.assert_array_equal(received.buffers[1][1], strided)
    np.testing.assert_array_equal(received.buffers[2][1], strided)


async def test_the_parent_sends_and_receives_megabytes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        array = np.random.default_rng(0).random(1_000_000)

        def echo() -> None:
            channel = BlockingChannel(theirs, MessageLimits())
            channel.send(channel.receive())

        other = asyncio.create_task(asyncio.to_thread(echo))
        channel = AsyncChannel(ours)
        await channel.send(Message("x", (("a", array),)), MessageLimits())
        received = await channel.receive(MessageLimits())
        await other
    assert_same(received.buffers[0][1], array)


@given(st.binary(max_size=200))
def test_noise_is_a_protocol_error_and_nothing_else(noise: bytes) -> None:
    with pytest.raises(WorkerProtocolError):
        asyncio.run(received_by_parent(noise))


@given(json_values)
def test_a_header_of_any_other_shape_is_a_protocol_error(header: object) -> None:
    with pytest.raises(WorkerProtocolError):
        asyncio.run(received_by_parent(raw(header)))


@pytest.mark.parametrize(
    "buffer",
    [
        {"name": "a", "dtype": "object", "shape": [1]},
        {"name": "a", "dtype": "float32", "shape": [-1]},
        {"name": "a", "dtype": "float32", "shape": [True]},
        {"name": "a", "dtype": "float32", "shape": [1] * 9},
        {"name": "a", "dtype": "float32", "shape": [1 << 60]},
        {"name": "a", "dtype": "float32", "shape": [1 << 40]},
        {"name": "a", "dtype": "float32", "shape": [1 << 20, 0, 1.5]},
        {"name": "a", "dtype": "bytes", "shape": [1, 1]},
        {"name": 1, "dtype": "float32", "shape": [1]},
        {"name": "a", "dtype": "float32", "shape": [1], "more": 1},
        "a",
    ],
)
async def test_a_buffer_that_is_described_wrongly_is_refused_before_it_is_allocated(buffer: object) -> None:
    with pytest.raises(WorkerProtocolError):
        await received_by_parent(raw({"body": None, "buffers": [buffer]}) + b"\0" * 100)


async def test_a_message_over_the_limits_is_refused_by_its_length_alone() -> None:
    with pytest.raises(WorkerProtocolError, match="over the limit"):
        await received_by_parent(b"warpwright:" + b"f" * 12 + b"\n")


async def test_deep_json_is_a_protocol_error() -> None:
    text = b'{"body":' + b"[" * 100_000 + b"\n"
    with pytest.raises(WorkerProtocolError):
        await received_by_parent(
            b"warpwright:" + f"{len(text):012x}".encode() + b"\n" + text, MessageLimits()
        )


def test_what_is_too_long_is_not_sent() -> None:
    with pytest.raises(WorkerProtocolError):
        through_blocking_sockets(Message("x" * 20_000), LIMITS)


async def test_a_closed_connection_is_told_from_a_broken_message() -> None:
    with pytest.raises(wire.EndOfStreamError) as clean:
        await received_by_parent(b"")
    assert clean.value.clean
    with pytest.raises(wire.EndOfStreamError) as broken:
        await received_by_parent(raw({"body": None, "buffers": []})[:-3])
    assert not broken.value.clean
