"""KernelBench's names as problems of our own: every name says one, and each is Python."""

from __future__ import annotations

import pytest

from agent.importing.problems.kernelbench import problems
from benchmarks.importing.__main__ import PROBLEMS
from benchmarks.importing.named_problems import made_of, problem_text
from benchmarks.importing.names import NamedOutcome, names, told, totals


def test_there_are_250_names_and_every_one_of_two_levels_is_written_as_a_problem() -> None:
    found = names()
    assert [sum(level == one for level, _ in found) for one in ("level1", "level2", "level3")] == [
        100,
        100,
        50,
    ]
    for level, name in found:
        if level != "level3":
            compile(problem_text(level, name), name, "exec")


def test_every_network_is_made_of_problems_that_there_are() -> None:
    own = {path.stem for path in problems(PROBLEMS)}
    for _, name in names(levels=("level3",)):
        assert made_of(name)
        assert set(made_of(name)) <= own, name


@pytest.mark.parametrize(
    ("level", "name", "parts"),
    [
        ("level1", "33_BatchNorm", ("self.l1 = nn.BatchNorm2d(8)", "return self.l1(x)")),
        (
            "level1",
            "77_conv_transposed_3D_square_input_square_kernel___padded____dilated____strided__",
            ("nn.ConvTranspose3d(8, 12, 3, stride=2, padding=1, dilation=2, groups=1)",),
        ),
        ("level1", "87_conv_pointwise_2D", ("nn.Conv2d(8, 12, 1, groups=1)",)),
        ("level2", "75_Gemm_GroupNorm_Min_BiasAdd", ("nn.GroupNorm(4, 32)", "torch.min(x, dim=1, keepdim=True)[0]")),
        ("level2", "40_Matmul_Scaling_ResidualAdd", ("before = x.clone()", "x = x + before")),
    ],
)  # fmt: skip
def test_a_problem_does_what_its_name_says(level: str, name: str, parts: tuple[str, ...]) -> None:
    text = problem_text(level, name)
    for part in parts:
        assert part in text


def test_a_word_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError, match="wavelet"):
        problem_text("level2", "101_Gemm_Wavelet")


def test_names_are_counted_by_level() -> None:
    found = [
        NamedOutcome("level1", "19_ReLU", operators=("relu",)),
        NamedOutcome(
            "level3", "9_ResNet18", "residual_block: too large", ("relu", "conv2d"), ("residual_block",)
        ),
    ]
    assert totals(found) == [
        "level1: 1 of 1 names are tasks, written after them",
        "level3: 0 of 1 names have all their operations in tasks",
        "operators of ATen in them: 2",
    ]
    assert told(found[1]).endswith("no task: residual_block: too large in parts: residual_block")
