from __future__ import annotations

import pytest

import prompts
from tools.kernel import file as kernel_file


def test_the_library_holds_at_least_ten_features_with_every_section():
    library = prompts.features()
    assert len({feature.name for feature in library}) == len(library) >= 10
    for feature in library:
        assert feature.summary.endswith(".")
        assert feature.applies_to
        for section in ("## When it helps", "## Metrics that show it", "## Pitfalls", "## Sketch"):
            assert section in feature.text, (feature.name, section)
        assert "```cuda" in feature.text


def test_the_library_always_comes_in_the_same_order():
    prompts.features.cache_clear()
    first = prompts.features()
    prompts.features.cache_clear()
    assert prompts.features() == first
    assert first[0].name == "vectorized_loads"


@pytest.mark.parametrize(
    ("role", "answer"), [("planner", "```json"), ("coder", "cuda"), ("critic", "```json")]
)
def test_each_role_says_in_which_form_to_answer(role: str, answer: str):
    assert answer in prompts.load_role(role).partition("# Answer")[2]


def test_a_request_without_one_of_its_values_is_an_error():
    with pytest.raises(KeyError, match="task"):
        prompts.render_request("planner", {})


def test_values_may_hold_dollar_signs():
    names = (
        "task",
        "device",
        "baseline",
        "history",
        "critique",
        "features",
        "why",
        "pages",
        "parent",
        "feedback",
    )
    text = prompts.render_request("coder", {name: f"${name}" for name in names})
    assert "$feedback" in text


def test_the_kernel_file_that_coders_are_shown_is_one():
    example = prompts.load_role("coder").partition("```cuda\n")[2].partition("```")[0]
    parsed = kernel_file.parse(example)
    assert [launch.kernel for launch in parsed.launches] == ["sum_blocks", "sum_blocks"]
