from __future__ import annotations

import json

import pytest

from agent.mcp.stdin import readable


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'"a \ud83d b"', "a \ufffd b"),
        (rb'"a \uDE00"', "a \ufffd"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\\ud83d"', "\\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'"\u0041\n"', "A\n"),
    ],
)
def test_half_a_surrogate_pair_is_replaced_and_everything_else_stays(sent: bytes, read: str) -> None:
    assert json.loads(readable(sent)) == read
