from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import ml_dtypes
import numpy as np
import pytest
import pytest_asyncio

from sandbox.device import Array
from sandbox.errors import UsageError, WorkerDiedError, WorkerError
from sandbox.isolation.base import Isolation
from sandbox.reference.service import ReferenceFailedError, References
from sandbox.worker.messages import Expected

pytestmark = [
    pytest.mark.usefixtures("started", "nothing_left", "references"),
    pytest.mark.asyncio(loop_scope="module"),
]

X = np.array([0.1, 2.0, -3.0], np.float32)
SUM = "import numpy as np\ndef reference(x, n): return {'y': np.sum(x, keepdims=True) * n}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(bubblewrapped: Isolation) -> None:
    """What the first worker of a loop opens for all stays open."""
    async with References(bubblewrapped) as references:
        await references.warm()


@pytest_asyncio.fixture(loop_scope="module")
async def references(bubblewrapped: Isolation) -> AsyncIterator[References]:
    async with References(bubblewrapped) as references:
        yield references


async def expected(references: References, text: str, x: Array = X, dtype: str = "float32") -> Expected:
    return await references.expected(text, {"x": x}, {"n": 2}, {"y": dtype})


async def test_the_answer_is_in_float64_of_the_rounded_inputs(isolation: Isolation) -> None:
    async with References(isolation) as references:
        answer = await expected(references, SUM)
    assert answer.outputs["y"].dtype == np.float64
    assert answer.outputs["y"][0] == 2 * np.sum(X.astype(np.float64))
    assert answer.scales == {"y": "traced"}
    assert answer.magnitude["y"][0] > 2 * 2


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
async def test_floats_of_every_dtype_come_in_as_float64(references: References, dtype: type) -> None:
    text = "def reference(x, n): assert x.dtype == 'float64'; return {'y': x}"
    x = np.array([0.1, 3.0]).astype(dtype)
    answer = await expected(references, text, x)
    np.testing.assert_array_equal(answer.outputs["y"], x.astype(np.float64))


async def test_integers_go_in_and_come_out_as_they_are(references: References) -> None:
    text = "def reference(x, n): return {'y': x * n}"
    for kind in (np.int8, np.int32, np.int64, np.uint8, np.uint64):
        answer = await expected(references, text, np.array([1, 2], kind), np.dtype(kind).name)
        assert answer.outputs["y"].dtype == kind
        assert answer.magnitude == {}


async def test_integers_for_a_floating_output_become_float64(references: References) -> None:
    answer = await expected(references, "def reference(x, n): return {'y': x > 0}")
    np.testing.assert_array_equal(answer.outputs["y"], [1.0, 1.0, 0.0])
    assert answer.outputs["y"].dtype == np.float64


async def test_scalars_arrive_as_numbers(references: References) -> None:
    text = "def reference(x, a, k, n): assert type(a) is float and type(k) is int; return {'y': a * x + k}"
    inputs = {"x": X, "a": np.array(0.5, np.float32), "k": np.array(3, np.int32)}
    answer = await references.expected(text, inputs, {"n": 2}, {"y": "float32"})
    np.testing.assert_array_equal(answer.outputs["y"], 0.5 * X.astype(np.float64) + 3)


async def test_a_magnitude_that_the_reference_gives_is_taken(references: References) -> None:
    text = SUM + "\ndef magnitude(x, n): return {'y': -np.sum(np.abs(x), keepdims=True)}"
    answer = await expected(references, text)
    assert answer.scales == {"y": "given"}
    assert answer.magnitude["y"][0] == np.abs(X.astype(np.float64)).sum()


async def test_an_answer_is_computed_once_and_cannot_be_changed(references: References) -> None:
    text = "import time\n" + SUM.replace("return", "time.sleep(0.1); return")
    first = await expected(references, text)
    started = time.monotonic()
    assert await expected(references, text) is first
    assert time.monotonic() - started < 0.1
    assert await expected(references, text, X + 1) is not first
    with pytest.raises(ValueError, match="read-only"):
        first.outputs["y"][0] = 1


async def test_what_is_kept_is_bounded(bubblewrapped: Isolation) -> None:
    async with References(bubblewrapped, kept_bytes=40) as references:
        first = await expected(references, SUM)
        assert await expected(references, SUM) is first
        for offset in range(1, 4):
            await expected(references, SUM, X + offset)
        assert await expected(references, SUM) is not first


async def test_a_seed_replays_an_estimate(bubblewrapped: Isolation) -> None:
    scales: list[float] = []
    for seed in (1, 1, 2):
        async with References(bubblewrapped) as references:
            answer = await references.expected(SUM, {"x": X}, {"n": 2}, {"y": "float32"}, seed=seed)
            scales.append(float(answer.magnitude["y"][0]))
    assert scales[0] == scales[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def reference(x, n):\n    return 1 / 0", r"line 2: ZeroDivisionError"),
        (
            "def helper():\n    raise ValueError('odd')\ndef reference(x, n): return helper()",
            r"line 2: .*odd",
        ),
        ("def reference(x, n)\n    return 1", r"line 1: SyntaxError"),
        ("import no_such_module", r"line 1: ModuleNotFoundError"),
        ("import sys; sys.exit(3)", r"SystemExit"),
        ("x = 1", r"no function `reference`"),
        ("def reference(x, n): return x", r"ndarray: expected a dict"),
        ("def reference(x, n): return {'z': x}", r"returned z: expected y"),
        ("def reference(x, n): return {'y': 'text'}", r"expected numbers"),
        ("def reference(x, n): return {'y': 1j * x}", r"expected numbers"),
        ("def reference(x, n): return {1: x}", r"expected numbers"),
        ("def reference(y): pass", r"TypeError.*unexpected keyword argument"),
        ("def reference(x, n): return {'y': x}\ndef magnitude(x, n): return {'y': x[:1]}", r"`magnitude`"),
    ],
)
async def test_a_reference_that_fails_is_named_with_its_line(
    references: References, text: str, message: str
) -> None:
    with pytest.raises(ReferenceFailedError, match=message) as error:
        await expected(references, text)
    assert isinstance(error.value, UsageError)
    assert "reference.py" in str(error.value)


async def test_a_reference_that_never_ends_or_fills_memory_fails(bubblewrapped: Isolation) -> None:
    async with References(bubblewrapped, memory_bytes=1 << 30) as references:
        with pytest.raises(ReferenceFailedError, match=r"within 0\.5 s of processor time"):
            await references.expected("while True: pass", {"x": X}, {}, {"y": "float32"}, cpu_s=0.5)
        with pytest.raises(ReferenceFailedError, match="1 GiB"):
            await expected(references, "import numpy as np\nnp.ones(1 << 30)")
        assert await expected(references, SUM)


async def test_nothing_is_carried_from_one_reference_to_the_next(references: References) -> None:
    await expected(references, "import builtins\nseen = 1\n" + SUM)
    with pytest.raises(ReferenceFailedError, match="NameError"):
        await expected(references, "seen\n" + SUM)


CHANGES = {
    "numpy": "import numpy\nnumpy.sum = numpy.max\n",
    "this module": "import sys\nrole = sys.modules['sandbox.reference.role']\nrole.as_float64 = lambda array: 0 * array\n",
    "builtins": "import builtins\nbuiltins.dict = list\n",
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
async def test_what_a_reference_changes_of_its_worker_is_no_other_references_affair(
    references: References, changes: str
) -> None:
    before = await expected(references, SUM)
    with contextlib.suppress(ReferenceFailedError, WorkerError):
        await expected(references, changes + SUM)
    asked = (expected(references, text, X + 1) for text in (changes + SUM, SUM))
    _, among = await asyncio.gather(*asked, return_exceptions=True)
    after = await references.expected(SUM, {"x": X}, {"n": 2}, {"y": "float32"}, seed=1)
    assert isinstance(among, Expected)
    assert among.outputs["y"] == pytest.approx(2 * (X + 1.0).sum())
    assert after.outputs["y"] == before.outputs["y"]
    assert after.magnitude["y"] == before.magnitude["y"]


async def test_a_reference_with_compare_judges_outputs_itself(references: References) -> None:
    text = (
        SUM
        + """
def compare(outputs, expected, inputs):
    assert outputs['y'].dtype == 'float64'
    if outputs['y'][0] < expected['y'][0] - inputs['x'][1]:
        return 'too small'
"""
    )
    answer = await expected(references, text)
    assert answer.has_compare
    for value, reason in ((-1.8, None), (-10.0, "too small")):
        outputs = {"y": np.array([value], np.float32)}
        assert await references.compare(text, {"x": X}, outputs, answer) == reason


@pytest.mark.parametrize(("body", "message"), [("return True", "bool"), ("raise ValueError('no')", "no")])
async def test_a_compare_that_breaks_its_contract_is_a_failed_reference(
    references: References, body: str, message: str
) -> None:
    text = f"{SUM}\ndef compare(outputs, expected, inputs): {body}"
    answer = await expected(references, text)
    with pytest.raises(ReferenceFailedError, match=message):
        await references.compare(text, {"x": X}, {"y": X[:1]}, answer)


async def test_questions_that_are_asked_at_once_have_their_own_answers_and_faults(
    references: References, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "def reference(x, n):\n    if x[0] > 2: raise ValueError(x[0])\n    return {'y': x * n}"
    monkeypatch.setenv("WARPWRIGHT_TRACE", "1")
    asked = (expected(references, text, np.array([k], np.float32)) for k in range(5))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [float(one.outputs["y"][0]) for one in found[:3] if isinstance(one, Expected)] == [0, 2, 4]
    assert ["ValueError: 4.0" in str(one) for one in found[3:]] == [False, True]
    assert capfd.readouterr().err.count("trace: reference") == 1


async def test_what_ends_the_worker_that_many_ask_fails_for_itself_alone(references: References) -> None:
    text = "import os\ndef reference(x, n):\n    if x[0] > 1: os._exit(3)\n    return {'y': x * n}"
    asked = (expected(references, text, np.array([k], np.float32)) for k in range(3))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [float(one.outputs["y"][0]) for one in found if isinstance(one, Expected)] == [0, 2]
    assert isinstance(found[2], WorkerDiedError)
