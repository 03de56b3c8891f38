from __future__ import annotations

import pytest

from agent.models.reply import critique_of, kernel_of, plans_of, written_of
from agent.proposer import Written

KERNEL = "//@ launch k<<<1, 1>>>()\n__global__ void k() {}\n"


@pytest.mark.parametrize("language", ["cuda", "cpp", "", "c++"])
def test_a_kernel_is_found_in_a_block_of_any_language(language: str):
    assert kernel_of(f"Prose.\n```{language}\n{KERNEL}```\nMore.") == KERNEL


def test_the_last_kernel_of_a_reply_counts():
    other = KERNEL.replace("k()", "last()")
    assert kernel_of(f"```cuda\n{KERNEL}```\nBetter:\n```cuda\n{other}```\n```sh\nnvcc k.cu\n```") == other


def test_a_kernel_whose_fence_never_closes_is_found():
    assert kernel_of(f"```cuda\n{KERNEL}") == KERNEL


@pytest.mark.parametrize(
    "reply", ["", "Use shared memory and __global__ functions.", "```python\nprint(1)\n```", f"{KERNEL}"]
)
def test_prose_and_other_code_is_no_kernel(reply: str):
    assert kernel_of(reply) is None


@pytest.mark.parametrize(
    "reply",
    [
        'Sure.\n```json\n[{"parent": "ab12", "features": ["x"], "why": "because"}]\n```\nDone.',
        '[{"parent": "ab12", "features": ["x"], "why": "because"}]',
        '```\n{"plans": [{"parent": "ab12", "features": ["x"], "why": "because"}]}\n```',
        'I say {not json} and then {"parent": "ab12", "features": ["x"], "why": "because"}',
    ],
)
def test_plans_are_read_leniently(reply: str):
    (plan,) = plans_of(reply)
    assert (plan.parent, plan.features, plan.why) == ("ab12", ("x",), "because")


@pytest.mark.parametrize(
    "reply", ["", "no plan", '```json\n[{"features": "x"}]\n```', '{"a": 1', "[" * 100_000]
)
def test_a_reply_without_plans_gives_none(reply: str):
    assert plans_of(reply) == []


def test_a_reply_hands_in_its_kernel_the_features_asked_for_and_its_words():
    written = written_of(f"Wide loads.\n```cuda\n{KERNEL}```\n", ("vectorized_loads",))
    assert written == Written(KERNEL, ("vectorized_loads",), "Wide loads.")
    assert written_of("I cannot.", ()) == Written(None, (), "I cannot.")


def test_a_critique_without_json_is_its_prose():
    critique = critique_of("The loads are strided.")
    assert critique is not None
    assert critique.text == "The loads are strided."


def test_a_critique_is_read_from_its_json():
    critique = critique_of('Well.\n```json\n{"text": "bank conflicts", "features": ["padding"]}\n```')
    assert critique is not None
    assert (critique.text, critique.features) == ("bank conflicts", ("padding",))
