from __future__ import annotations

import json

import pytest

from agent.models.blocks import answer_text, read_reply
from agent.models.reply import critique_of, draft_of, json_object, kernel_of, no_answer, plans_of, written_of
from agent.proposer import Written
from agent.store.replies import Reply, ToolUse

KERNEL = "//@ launch k<<<1, 1>>>()\n__global__ void k() {}\n"
DRAFT = (
    '```json\n{"name": "twice"}\n```\n\n```python\ndef reference(x):\n    return {}\n```\n\n'
    f"```cuda\n{KERNEL}```\n"
)


@pytest.mark.parametrize("tag", ["cuda", "cpp", "", "c++", "CUDA", "cu ", 'cuda title="k.cu"', "{.cuda}"])
def test_a_kernel_is_found_in_a_block_of_any_language(tag: str):
    assert kernel_of(f"Prose.\n```{tag}\n{KERNEL}```\nMore.") == KERNEL


def test_windows_line_ends_are_those_of_unix():
    assert kernel_of(f"Here.\n\n```cuda\n{KERNEL}```\n\nIt's coalesced.\n".replace("\n", "\r\n")) == KERNEL


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<|eot_id|>", "</s>", "<\uff5cend\u2581of\u2581sentence\uff5c>", " <end_of_turn>"]
)
def test_a_stop_token_behind_the_fence_is_no_part_of_the_kernel(token: str):
    assert kernel_of(f"```cuda\n{KERNEL}```{token}") == KERNEL
    assert kernel_of(f"```cuda\n{KERNEL}```\n{token}\n") == KERNEL


@pytest.mark.parametrize(
    "thoughts",
    [
        "<think>\nA sketch:\n```cuda\n__global__ void k(/* later */) {\n\nNo.\n</think>\n\n",
        "The opening mark was in the template.\n```cuda\n__global__ void no() {\n</think>",
        "<|channel|>analysis<|message|>```cuda\n__global__ void no()<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
)
def test_thoughts_are_no_part_of_the_answer(thoughts: str):
    written = written_of(Reply(f"{thoughts}Here.\n\n```cuda\n{KERNEL}```\n"), ())
    assert (written.kernel, written.said) == (KERNEL, "Here.")


def test_a_reply_that_ends_while_it_thinks_holds_no_answer():
    assert answer_text("<think>\n```cuda\n__global__ void k() {}\n```") == ""


def test_of_several_blocks_the_one_that_is_a_kernel_file_counts():
    other = KERNEL.replace("k()", "last()")
    fragment = "```cuda\n__global__ void fragment() {}\n```"
    reply = f"```cuda\n{KERNEL}```\nBetter:\n```cuda\n{other}```\nThe core of it:\n{fragment}\n```sh\nnvcc k.cu\n```"
    assert kernel_of(reply) == other


@pytest.mark.parametrize(
    "reply",
    [
        f"```cuda\n{KERNEL}",
        f"```cuda\n{KERNEL}\n```sh\nnvcc k.cu\n```",
        f"```cuda\n{KERNEL.rstrip()}```",
        f"1. So:\n   ```cuda\n   {KERNEL.strip().replace(chr(10), chr(10) + '   ')}\n   ```",
        f"````markdown\n```cuda\n{KERNEL}```\n````",
        KERNEL,
        json.dumps({"kernel": KERNEL}),
        f"```json\n{json.dumps({'answer': {'code': KERNEL}})}\n```",
    ],
    ids=["left open", "another after it", "glued", "indented", "wrapped", "bare", "JSON", "fenced JSON"],
)
def test_a_slip_around_the_kernel_does_not_lose_it(reply: str):
    assert kernel_of(reply) == KERNEL


@pytest.mark.parametrize(
    "reply", ["", "Use shared memory and __global__ functions.", "```python\nprint(1)\n```", "// no kernel"]
)
def test_prose_and_other_code_is_no_kernel(reply: str):
    assert kernel_of(reply) is None
    assert "no kernel file" in written_of(Reply(reply), ()).lacking or not reply


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("", finish="length"), "cut off at the token limit"),
        (Reply(f"```cuda\n{KERNEL}", finish="length"), "cut off at the token limit"),
        (Reply("", refusal="I cannot help with that."), "refused: I cannot help with that."),
        (Reply("", finish="content_filter"), "content_filter"),
        (Reply(""), "the reply is empty"),
    ],
)
def test_why_a_reply_holds_no_kernel_is_said(reply: Reply, said: str):
    written = written_of(reply, ())
    assert written.kernel is None
    assert said in written.lacking


def test_a_whole_kernel_in_a_reply_that_was_cut_off_after_it_is_taken():
    assert written_of(Reply(f"```cuda\n{KERNEL}```\nIt is bec", finish="length"), ()).kernel == KERNEL


PLAN = '{"parent": "ab12", "features": ["x"], "why": "because"}'


@pytest.mark.parametrize(
    "reply",
    [
        f"Sure.\n```json\n[{PLAN}]\n```\nDone.",
        f"[{PLAN}]",
        f'```\n{{"plans": [{PLAN}]}}\n```',
        f"I say {{not json}} and then {PLAN}",
        f"```json\r\n[{PLAN}]\r\n```<|im_end|>",
        f"<think>[{PLAN.replace('ab12', 'thought')}]</think>[{PLAN}]",
        f"```JSON\n[{PLAN[:-1]},}},]\n```",
        "```json\n[{'parent': 'ab12', 'features': ['x'], 'why': 'because'}]\n```",
    ],
)
def test_plans_are_read_leniently(reply: str):
    (plan,) = plans_of(Reply(reply))
    assert (plan.parent, plan.features, plan.why) == ("ab12", ("x",), "because")


def test_plans_are_read_from_a_tool_call():
    call = ToolUse("1", "answer", {"thoughts": "...", "plans": [json.loads(PLAN)]})
    assert [plan.features for plan in plans_of(Reply("", uses=(call,)))] == [("x",)]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "no plan",
        '```json\n[{"features": "x"}]\n```',
        '{"a": 1',
        "[" * 100_000,
        f"```json\n{'[' * 9000}\n```",
    ],
    ids=["empty", "prose", "wrong type", "other object", "nonsense", "fenced nonsense"],
)
def test_a_reply_without_plans_gives_none(reply: str):
    assert not plans_of(Reply(reply))


def test_a_reply_hands_in_its_kernel_the_features_asked_for_and_its_words():
    written = written_of(Reply(f"Wide loads.\n```cuda\n{KERNEL}```\n"), ("vectorized_loads",))
    assert written == Written(KERNEL, ("vectorized_loads",), "Wide loads.")


def test_a_critique_without_json_is_its_prose():
    critique = critique_of(Reply("<think>Hm.</think>The loads are strided."))
    assert critique is not None
    assert critique.text == "The loads are strided."


def test_a_critique_is_read_from_its_json():
    critique = critique_of(Reply('Well.\n```json\n{"text": "bank conflicts", "features": ["padding"]}\n```'))
    assert critique is not None
    assert (critique.text, critique.features) == ("bank conflicts", ("padding",))


@pytest.mark.parametrize(
    "changed",
    [
        DRAFT,
        DRAFT.replace("cuda", "cpp"),
        DRAFT.replace("cuda", "c++"),
        DRAFT.replace("json", "JSON"),
        DRAFT.replace("json", "json "),
        DRAFT.replace("cuda", 'cuda title="baseline.cu"'),
        DRAFT.replace("\n", "\r\n"),
        DRAFT.rstrip().removesuffix("```"),
        DRAFT.replace("```json", "```").replace("```python", "```").replace("```cuda", "```"),
    ],
    ids=["plain", "cpp", "c++", "upper", "space", "title", "crlf", "left open", "untagged"],
)
def test_the_three_parts_of_a_draft_are_found_as_a_kernel_is(changed: str):
    parts = draft_of(changed)
    assert json_object(parts.fields or "") == {"name": "twice"}
    assert (parts.reference or "").startswith("def reference(x):")
    assert parts.baseline == KERNEL


def test_an_ordinary_answer_has_nothing_to_be_said_of_it():
    assert no_answer(Reply("Hello.", finish="stop")) == ""
    assert read_reply("a\n```c\nb\n```\nc").prose == "a\nc"
