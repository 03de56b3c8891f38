from __future__ import annotations

from typing import get_args

import pytest

import prompts
from sandbox.device import Bottleneck
from tools.kernel import file as kernel_file


def test_the_library_holds_at_least_45_features_with_every_section_and_fact():
    library = prompts.features()
    names = {feature.name for feature in library}
    assert len(names) == len(library) >= 45
    assert {feature.family for feature in library} == set(get_args(prompts.Family))
    bounds = {str(bound) for bound in Bottleneck}
    for feature in library:
        assert set(feature.bottlenecks) <= bounds, feature.name
        assert {*feature.needs, *feature.conflicts} <= names - {feature.name}, feature.name
        assert not set(feature.needs) & set(feature.conflicts)
        assert feature.cost
        assert feature.metric
        assert feature.summary.endswith(".")
        assert feature.applies_to
        for section in ("## When it helps", "## Metrics that show it", "## Pitfalls", "## Sketch"):
            assert section in feature.text, (feature.name, section)
        assert "```cuda" in feature.text


def test_what_fits_a_task_is_asked_by_its_kind_and_architecture():
    pages = {feature.name: feature for feature in prompts.features()}
    assert pages["mma_half"].fits("matmul", "sm_90")
    assert not pages["mma_half"].fits("matmul", "sm_75"), "Turing has no m16n8k16 of halves"
    assert not pages["mma_half"].fits("elementwise", "sm_90")
    assert pages["mma_half"].fits("matmul", ""), "of an unknown device nothing is asked"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# no front matter", "between two lines of"),
        ('+++\nname = "x"\n+++\nbody', "family"),
        ("+++\nname = \n+++\nbody", "Invalid value"),
    ],
)
def test_what_is_no_page_is_an_error_that_says_why(text: str, said: str):
    with pytest.raises(ValueError, match=said):
        prompts.read_page(text)


def test_the_library_always_comes_in_the_same_order():
    prompts.features.cache_clear()
    first = prompts.features()
    prompts.features.cache_clear()
    assert prompts.features() == first
    assert first[0].name == "vectorized_loads"


@pytest.mark.parametrize(
    ("role", "answer"),
    [("planner", "```json"), ("coder", "cuda"), ("speed_critic", "```json"), ("failure_critic", "```json")],
)
def test_each_role_says_in_which_form_to_answer(role: str, answer: str):
    assert answer in prompts.load_role(role).partition("# Answer")[2]


def test_a_request_without_one_of_its_values_is_an_error():
    with pytest.raises(KeyError, match="shared"):
        prompts.render_request("planner", {})


def test_values_may_hold_dollar_signs():
    names = (
        "shared",
        "baseline",
        "history",
        "critique",
        "features",
        "why",
        "pages",
        "parent",
        "feedback",
        "approach",
    )
    text = prompts.render_request("coder", {name: f"${name}" for name in names})
    assert "$feedback" in text


def test_the_kernel_file_that_coders_are_shown_is_one():
    example = prompts.load_role("coder").partition("```cuda\n")[2].partition("```")[0]
    parsed = kernel_file.parse(example)
    assert [launch.kernel for launch in parsed.launches] == ["sum_blocks", "sum_blocks"]


def test_a_coder_can_be_asked_in_several_ways_and_plainly_first():
    names = prompts.variants("coder")
    assert names[0] == prompts.PLAIN
    assert len(names) >= 3
    texts = [prompts.variant_text("coder", name) for name in names]
    assert texts[0] == ""
    assert all(text.endswith("\n\n") and len(text) < 1000 for text in texts[1:])
    assert prompts.variants("critic") == (prompts.PLAIN,)
