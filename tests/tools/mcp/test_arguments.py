"""Arguments as models really send them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools.mcp.canned_toolbox import (
    KERNEL,
    CannedToolbox,
    Mode,
    both_eras,
    client,
    error_text,
    structured,
)
from tools.mcp.arguments import without_fences
from tools.toolbox import CheckOrder, TestOrder


async def order_of(tool: str, mode: Mode = "auto", **arguments: Any) -> Any:
    toolbox = CannedToolbox()
    async with client(toolbox, mode) as connected:
        structured(await connected.call_tool(tool, {"task": "softmax", "kernel": KERNEL, **arguments}))
    return toolbox.orders[0]


async def complaint(tool: str, **arguments: Any) -> str:
    toolbox = CannedToolbox()
    async with client(toolbox) as connected:
        text = error_text(await connected.call_tool(tool, arguments))
    assert not toolbox.orders
    return text


@both_eras
async def test_null_is_the_default_of_every_argument_that_has_one(mode: Mode) -> None:
    order = await order_of("test_kernel", mode, tune=None, seed=None, device=None)
    assert (order.tune, order.seed) == (None, None)
    checked = await order_of("benchmark_kernel", mode, sweep=None, seed=None)
    assert isinstance(checked, CheckOrder)
    assert not checked.sweep


async def test_null_for_what_is_needed_is_a_mistake() -> None:
    assert "task" in await complaint("test_kernel", task=None, kernel=KERNEL)


async def test_an_unknown_argument_is_named_with_what_it_may_be_meant_for_and_nothing_is_done() -> None:
    text = await complaint("test_kernel", task="softmax", kernal=KERNEL)
    assert "no argument 'kernal'; did you mean kernel?" in text
    assert "There are: task, kernel, tune, seed, device." in text
    text = await complaint("get_task", task="softmax", no_such_thing=1)
    assert "no argument 'no_such_thing'" in text


@pytest.mark.parametrize(
    "tune",
    [
        [{"name": "BLOCK", "value": 64}],
        {"BLOCK": 64},
        '{"BLOCK": 64}',
        '[{"name": "BLOCK", "value": 64}]',
        [{"name": "BLOCK", "value": "64"}],
        {"name": "BLOCK", "value": 64},
        [{"name": "BLOCK", "value": 64.0}],
    ],
    ids=str,
)
async def test_settings_are_taken_in_every_form_that_models_give_them(tune: object) -> None:
    order = await order_of("test_kernel", tune=tune, seed="7")
    assert isinstance(order, TestOrder)
    assert (order.tune, order.seed) == ({"BLOCK": 64}, 7)


async def test_kernels_by_label_are_taken_as_a_map_too() -> None:
    toolbox = CannedToolbox()
    async with client(toolbox) as connected:
        answer = await connected.call_tool(
            "compare_kernels",
            {"task": "softmax", "kernels": {"a": KERNEL, "b": f"// b\n{KERNEL}"}, "sweep": "true"},
        )
    assert {one["label"] for one in structured(answer)["standings"]} == {"a", "b"}
    assert all(isinstance(order, CheckOrder) and order.sweep for order in toolbox.orders)


@pytest.mark.parametrize(
    "text",
    [
        f"```cuda\n{KERNEL}```",
        f"Here it is:\n\n```\n{KERNEL}```\nIt is fast.",
        f"~~~cpp\n{KERNEL}~~~\n",
    ],
)
async def test_a_kernel_in_a_fence_is_taken_without_it(text: str) -> None:
    assert (await order_of("test_kernel", kernel=text)).kernel == KERNEL


def test_a_text_with_several_blocks_or_none_stays_as_it_is() -> None:
    for text in (KERNEL, "```\na\n```\n```\nb\n```\n", "// ``` in a comment\n", 7):
        assert without_fences(text) == text


async def test_a_mistake_is_said_in_words_with_its_place_and_what_was_found() -> None:
    text = await complaint(
        "test_kernel", task="softmax", kernel=KERNEL, tune=[{"name": "BLOCK", "value": "many"}]
    )
    assert text == (
        "tune[0].value: input should be a valid integer, unable to parse string as an integer, found 'many'"
    )
    text = await complaint("test_kernel", kernel=KERNEL, seed=-1)
    assert "task: field required" in text
    assert "seed: input should be greater than or equal to 0, found -1" in text
    for word in ("validation error", "pydantic", "input_value", "https://"):
        assert word not in text


async def test_an_object_with_an_unknown_field_is_told_the_ones_there_are() -> None:
    text = await complaint("compare_kernels", task="softmax", kernels=[{"label": "a", "code": KERNEL}])
    assert text.startswith("kernels[0] has no argument 'code'")
    assert "label, kernel" in text
