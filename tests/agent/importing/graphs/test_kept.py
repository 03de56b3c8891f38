"""What is said of operators that stay PyTorch's own."""

from __future__ import annotations

from agent.importing.graphs.kept import KeptOperator, baseline_wanted, kept_notes
from tools.tasks.task import TaskArgument

MEDIAN = KeptOperator("median", "median.dim", "operator median.dim: it has no translation into NumPy", 9)
POOL = KeptOperator("pool", "max_pool2d.default", "operator max_pool2d: ceil_mode", 12)
X = TaskArgument("x", "in", "float16", ("rows", "cols + 1"), "normal(0, 1)")
SCALE = TaskArgument("scale", "scalar", "float32", (), "normal(0, 1)")


def test_a_kernel_that_is_wanted_is_described_by_operators_lines_arguments_and_sizes() -> None:
    said = baseline_wanted([MEDIAN, POOL], [X, SCALE], ["rows", "cols"])
    assert said.startswith(
        f"{MEDIAN.why}; {POOL.why} (line 12). PyTorch's own operator, in float64, would be"
    )
    assert said.endswith(
        "--baseline KERNEL.cu, a plain kernel whose launch directive takes x (in, float16[rows, cols + 1]), scale"
        " (scalar, float32) and the sizes rows, cols"
    )


def test_notes_name_each_operator_once_and_what_it_counts_as() -> None:
    needs, counts = kept_notes([MEDIAN, POOL, MEDIAN])
    assert "in float64, for median.dim, max_pool2d: wherever it is judged there must be PyTorch" in needs
    assert counts == (
        "of median.dim, max_pool2d one operation for each element of the results is counted, less than it takes"
    )
    assert kept_notes([]) == []
