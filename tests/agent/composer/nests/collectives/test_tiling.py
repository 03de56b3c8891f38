"""Sums of products by tiles: over many tiles, steps and groups, with factors that lie in every way."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.composer.nests.collectives.tiling.packing import width
from agent.composer.nests.collectives.tiling.products import product_of
from agent.composer.nests.lowering import lowered
from agent.composer.nests.offering import features
from agent.composer.nests.options import NestOptions
from agent.composer.nests.program import NestProgram
from agent.composer.nests.reading.following import follow
from agent.composer.nests.sizes import Axis, Size
from agent.composer.nests.writing import emit
from tools.tasks.task import Case, Task

FAST = ("vectorized_loads", "async_copy_pipeline", "sliced_k", "launch_bounds")


def product(bench: Any, dtype: str, left: str = "a", right: str = "b") -> Task:
    """A task of one product; `a.T` is a factor that lies the other way."""
    a = "k, m" if ".T" in left else "m, k"
    b = "n, k" if ".T" in right else "k, n"
    body = f"def reference(a, b, m, n, k):\n    return {{'c': {left} @ {right}}}\n"
    return bench.task(body, (f"in a {dtype} {a}", f"in b {dtype} {b}", f"out c {dtype} m, n"), "m n k")


def program(task: Task) -> NestProgram:
    return lowered(task, follow(task))


@pytest.mark.parametrize(
    ("dtype", "left", "right", "chosen", "sizes"),
    [
        ("float32", "a", "b", FAST, (66, 68, 76)),
        ("float32", "a.T", "b.T", (*FAST, "constant_dimensions"), (68, 33, 77)),
        ("float32", "a", "b.T", ("register_prefetch", "vectorized_loads"), (65, 34, 36)),
        ("float64", "a.T", "b", ("register_prefetch", "register_blocking"), (33, 65, 20)),
        ("float16", "a", "b", ("mma_half", *FAST, "constant_dimensions"), (65, 72, 264)),
        ("float16", "a.T", "b.T", ("mma_half", "register_blocking", "async_copy_pipeline"), (40, 65, 80)),
        ("bfloat16", "a", "b.T", ("mma_bf16", "register_prefetch", "vectorized_loads"), (40, 72, 136)),
        ("bfloat16", "a.T", "b", ("mma_bf16",), (41, 34, 67)),
        ("float16", "a", "b", ("mma_half", "cluster_shared_memory", "async_copy_pipeline"), (65, 72, 264)),
        ("float32", "a.T", "b.T", ("cluster_shared_memory", "sliced_k"), (33, 65, 41)),
    ],
)
def test_products_of_many_tiles_are_right_at_odd_sizes(
    bench: Any, dtype: str, left: str, right: str, chosen: tuple[str, ...], sizes: tuple[int, int, int]
) -> None:
    task = product(bench, dtype, left, right)
    text = emit(program(task), NestOptions.of(chosen))
    dims = dict(zip("mnk", sizes, strict=True))

    def reference(a: Any, b: Any, m: int, n: int, k: int) -> dict[str, Any]:
        return {"c": (a.T if ".T" in left else a) @ (b.T if ".T" in right else b)}

    bench.check(task, text, dims, reference)


def test_what_two_of_three_axes_share_is_one_product_with_joined_rows(bench: Any) -> None:
    task = bench.task(
        "import numpy as np\n\ndef reference(x, w, b, m, n, k):\n"
        "    return {'y': np.maximum(np.einsum('ibk,kj->bij', x, w), 0)}\n",
        ("in x float32 m, b, k", "in w float32 k, n", "out y float32 b, m, n"),
        "b m n k",
    )
    found = product_of(program(task).nests[0])
    assert found is not None
    assert len(found.left.outer) == 2
    assert not found.batch
    bench.check(
        task, emit(program(task), NestOptions.of(FAST)), {"b": 3, "m": 5, "n": 12, "k": 20},
        lambda x, w, b, m, n, k: {"y": np.maximum(np.einsum("ibk,kj->bij", x, w), 0)},
    )  # fmt: skip


def test_tensor_cores_are_offered_for_sixteen_bits_alone(bench: Any) -> None:
    offered = {
        dtype: {name for name in features(program(product(bench, dtype))) if name.startswith("mma")}
        for dtype in ("float16", "bfloat16", "float32", "float64", "int32")
    }
    assert offered == {
        "float16": {"mma_half"}, "bfloat16": {"mma_bf16"}, "float32": set(), "float64": set(), "int32": set(),
    }  # fmt: skip


def test_blocks_of_a_cluster_share_only_what_is_long(bench: Any) -> None:
    for depth, offered in ((64, False), (1024, True)):
        task = replace(product(bench, "float32"), benches=(Case({"m": 512, "n": 512, "k": depth}),))
        assert ("cluster_shared_memory" in features(program(task))) is offered
        text = emit(program(task), NestOptions.of(["cluster_shared_memory"]))
        assert ("cluster_sync();" in text) is offered
        assert "cooperative_groups" not in text


def test_packs_move_only_where_every_row_is_aligned() -> None:
    row, column = Axis(1, Size.of("m")), Axis(2, Size.of("n"))
    shapes = {"a": (Size.of("m"), Size.of("n")), "even": (Size.of("m"), Size.of("n") * 4)}
    indices = (Size.of(row), Size.of(column))
    assert width("a", indices, column, shapes, "float32") == "4 if (n % 4) == 0 else 1"
    assert width("a", indices, row, shapes, "float32") is None
    assert width("a", (Size.of(row), Size.of(column) + 1), column, shapes, "float32") is None
    assert width("even", (Size.of(row), Size.of(column) * 2), column, shapes, "float32") is None
    longer = Axis(3, Size.of("n") * 4)
    assert width("even", (Size.of(row), Size.of(longer)), longer, shapes, "float32") == "4"
