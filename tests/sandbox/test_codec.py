from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import codec
from sandbox.device import Bottleneck, Fault, LaunchProfile, Metric, ProfileResult, RunResult
from sandbox.errors import WorkerProtocolError
from sandbox.plan import BufferArgument, BufferSpec, Launch, LaunchMode, Plan, Role, ScalarArgument
from sandbox.program import CompileRequest, CompileResult, Diagnostic, KernelResources, Program
from sandbox.verdict import Provenance, Verdict
from sandbox.wire import Message

text = st.text(max_size=8)
small = st.integers(-(1 << 63), (1 << 64) - 1)
triple = st.tuples(small, small, small)
number = st.floats(allow_nan=False)

plans = st.builds(
    Plan,
    st.lists(st.builds(BufferSpec, text, st.sampled_from(Role), text, small), max_size=3).map(tuple),
    st.lists(
        st.builds(
            Launch, text, triple, triple, small,
            st.lists(
                st.builds(BufferArgument, text) | st.builds(ScalarArgument, text, small | number), max_size=4
            ).map(tuple),
            small, st.sampled_from(LaunchMode), triple,
        ),
        max_size=3,
    ).map(tuple),
)  # fmt: skip
programs = st.builds(
    Program, text, text, text, st.binary(max_size=9), st.dictionaries(text, text, max_size=3),
    st.lists(st.builds(KernelResources, text, text, *[small] * 5), max_size=2).map(tuple),
    small,
)  # fmt: skip
diagnostics = st.lists(st.builds(Diagnostic, text, text, st.none() | small), max_size=3).map(tuple)
results = st.builds(
    CompileResult, st.none() | programs, diagnostics, text, st.none() | text, st.booleans(), text
)
faults = st.builds(
    Fault, st.sampled_from(Verdict), text, st.none() | text, st.none() | small, block=st.none() | triple
)
metrics = st.lists(st.builds(Metric, text, number, text, st.sampled_from(Provenance)), max_size=2).map(tuple)
profiles = st.builds(
    ProfileResult, st.none() | faults, st.none() | number, st.sampled_from(Provenance),
    st.lists(
        st.builds(
            LaunchProfile, text, small, number, st.sampled_from(Provenance), st.sampled_from(Bottleneck), number, small, small,
            metrics,
        ),
        max_size=2,
    ).map(tuple),
)  # fmt: skip
requests = st.builds(CompileRequest, text, text, st.lists(st.tuples(text, text), max_size=2).map(tuple))


@given(plans | programs | results | profiles | requests)
def test_a_contract_comes_back_as_it_went(value: Any) -> None:
    kind: type[Any] = type(value)
    assert codec.from_message(codec.to_message(value), kind) == value


def test_arrays_travel_beside_the_text_in_their_own_dtype() -> None:
    result = RunResult(None, {"y": np.arange(3, dtype=np.float16)}, {"x": np.array([True])}, printed="hi")
    message = codec.to_message(result)
    assert len(message.buffers) == 2
    back = codec.from_message(message, RunResult)
    assert back.outputs["y"].dtype == np.float16
    np.testing.assert_array_equal(back.outputs["y"], [0, 1, 2])
    assert back.printed == "hi"


def test_one_of_several_classes_is_told_by_its_tag() -> None:
    message = codec.to_message(Diagnostic("error", "m"))
    assert codec.from_message(message, Fault, Diagnostic) == Diagnostic("error", "m")
    with pytest.raises(WorkerProtocolError):
        codec.from_message(message, Fault, Program)


def _good() -> dict[str, Any]:
    return codec.to_message(Fault(Verdict.RACE, "m", line=3, block=(1, 2, 3))).body


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "splendid"}, {"verdict": ["race"]}, {"message": 3}, {"message": None}, {"line": "3"},
        {"line": True}, {"line": 3.0}, {"block": [1, 2]}, {"block": [1, 2, "3"]}, {"block": {"x": 1}},
        {"unknown": 1}, {"$type": "Verdict"}, {"$type": ["Fault"]},
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WorkerProtocolError):
        codec.from_message(Message({**_good(), **change}), Fault)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Fault)])
def test_a_missing_field_is_refused_even_where_it_has_a_default(field: str) -> None:
    body = _good()
    del body[field]
    with pytest.raises(WorkerProtocolError):
        codec.from_message(Message(body), Fault)


@pytest.mark.parametrize("index", [-1, 1, True, "0", None, 0.0])
def test_a_buffer_is_referred_to_once_and_in_order(index: object) -> None:
    message = codec.to_message(RunResult(None, {"y": np.zeros(2)}))
    body = {**message.body, "outputs": {"y": index}}
    with pytest.raises(WorkerProtocolError):
        codec.from_message(Message(body, message.buffers), RunResult)


def test_buffers_that_nobody_refers_to_are_refused() -> None:
    message = codec.to_message(Diagnostic("error", "m"))
    with pytest.raises(WorkerProtocolError):
        codec.from_message(Message(message.body, (("0", b"x"),)), Diagnostic)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(json_values, st.sampled_from([Fault, RunResult, ProfileResult, CompileResult, Plan]), st.data())
def test_whatever_a_worker_sends_is_a_contract_or_a_protocol_error(
    body: object, kind: type[Any], data: st.DataObject
) -> None:
    fields = {field.name: data.draw(json_values) for field in dataclasses.fields(kind)}
    for sent in (body, {"$type": kind.__name__, **fields}):
        with contextlib.suppress(WorkerProtocolError):
            assert isinstance(codec.from_message(Message(sent), kind), kind)


def test_a_value_that_its_field_does_not_declare_is_a_bug_at_home() -> None:
    with pytest.raises(TypeError):
        codec.to_message(Diagnostic("error", 3))  # pyright: ignore[reportArgumentType]
