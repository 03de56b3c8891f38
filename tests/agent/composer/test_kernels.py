"""Every family, every pair of its features, on awkward sizes against NumPy.

With WARPWRIGHT_EXHAUSTIVE=1 in the environment, every kernel that can be written for the same tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from agent.composer.space import Space
from tests.exhaustive import EXHAUSTIVE
from tools.kernel import planning
from tools.kernel.file import parse, sweep
from tools.kernel.planning import compile_request
from tools.tasks.task import Case


@dataclass(frozen=True)
class Example:
    """A task, what it computes, and sizes to try."""

    name: str
    body: str
    arguments: tuple[str, ...]
    dims: str
    sizes: tuple[tuple[int, ...], ...]
    deterministic: bool = True

    @property
    def reference(self) -> str:
        inputs = [text.split()[1] for text in self.arguments if not text.startswith("out")]
        parameters = ", ".join([*inputs, *self.dims.split()])
        body = "".join(f"    {line}\n" for line in self.body.splitlines())
        return f"import numpy as np\n\n\ndef reference({parameters}):\n{body}"

    def cases(self) -> list[dict[str, int]]:
        return [dict(zip(self.dims.split(), sizes, strict=True)) for sizes in self.sizes]


def softmax(x: Any, **_: int) -> dict[str, Any]:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return {"y": e / e.sum(axis=-1, keepdims=True)}


def layer_norm(x: Any, w: Any, b: Any, **_: int) -> dict[str, Any]:
    mean = x.mean(axis=-1)
    d = x - mean[:, None]
    return {"y": d / np.sqrt((d * d).mean(axis=-1)[:, None] + 1e-5) * w + b, "mean": mean}


EXAMPLES: list[tuple[Example, Callable[..., dict[str, Any]]]] = [
    (
        Example(
            "silu",
            "s = 1 / (1 + np.exp(-x))\nreturn {'y': x * s}",
            ("in x float32 n", "out y float32 n"),
            "n",
            ((1,), (7,), (1031,)),
        ),
        lambda x, n: {"y": x / (1 + np.exp(-x))},
    ),
    (
        Example(
            "half_bias",
            "return {'y': np.maximum(x + b, 0) * s}",
            ("in x float16 rows, cols", "in b float16 cols", "scalar s float32", "out y float16 rows, cols"),
            "rows cols",
            ((3, 5), (2, 8)),
        ),
        lambda x, b, s, rows, cols: {"y": np.maximum(x + b, 0) * s},
    ),
    (
        Example(
            "int_inout",
            "return {'x': np.where(m, np.abs(x) * 3 - n, x)}",
            ("inout x int32 n", "in m bool n"),
            "n",
            ((13,), (257,)),
        ),
        lambda x, m, n: {"x": np.where(m, np.abs(x) * 3 - n, x)},
    ),
    (
        Example(
            "softmax",
            "e = np.exp(x - x.max(axis=-1, keepdims=True))\nreturn {'y': e / e.sum(axis=-1, keepdims=True)}",
            ("in x float32 rows, cols", "out y float32 rows, cols"),
            "rows cols",
            ((5, 37), (2, 132)),
        ),
        softmax,
    ),
    (
        Example(
            "layer_norm",
            "mean = x.mean(axis=-1)\nd = x - mean[:, None]\n"
            "return {'y': d / np.sqrt((d * d).mean(axis=-1)[:, None] + 1e-5) * w + b, 'mean': mean}",
            (
                "in x bfloat16 rows, cols",
                "in w float32 cols",
                "in b float32 1, cols",
                "out y float32 rows, cols",
                "out mean float32 rows",
            ),
            "rows cols",
            ((2, 64),),
        ),
        layer_norm,
    ),
    (
        Example(
            "row_norm",
            "return {'y': np.sqrt(np.sum(x * x, axis=-1)) * s}",
            ("in x float64 rows, cols", "in s float64 rows", "out y float64 rows"),
            "rows cols",
            ((5, 7), (3, 66)),
        ),
        lambda x, s, rows, cols: {"y": np.sqrt(np.sum(x * x, axis=-1)) * s},
    ),
    (
        Example(
            "sum",
            "return {'out': np.sum(x).reshape(1)}",
            ("in x float32 n", "out out float32 1"),
            "n",
            ((1,), (7,), (3001,)),
            deterministic=False,
        ),
        lambda x, n: {"out": np.sum(x)},
    ),
    (
        Example(
            "cosine",
            "return {'out': np.array([x @ y / np.sqrt((x @ x) * (y @ y))])}",
            ("in x float32 n", "in y float32 n", "out out float32 1"),
            "n",
            ((7,), (1501,)),
        ),
        lambda x, y, n: {"out": x @ y / np.sqrt((x @ x) * (y @ y))},
    ),
    (
        Example(
            "min_of_int",
            "return {'out': np.min(x).reshape(1)}",
            ("in x int32 n", "out out int32 1"),
            "n",
            ((1,), (777,)),
        ),
        lambda x, n: {"out": np.min(x)},
    ),
    (
        Example(
            "transpose",
            "return {'y': x.T}",
            ("in x float32 rows, cols", "out y float32 cols, rows"),
            "rows cols",
            ((1, 1), (37, 5), (68, 36)),
        ),
        lambda x, rows, cols: {"y": x.T},
    ),
    (
        Example(
            "transpose_half",
            "return {'y': np.exp(x.T) + rows}",
            ("in x float16 rows, cols", "out y float32 cols, rows"),
            "rows cols",
            ((9, 33), (40, 8)),
        ),
        lambda x, rows, cols: {"y": np.exp(x.T) + rows},
    ),
    (
        Example(
            "matmul",
            "return {'c': a @ b}",
            ("in a float32 m, k", "in b float32 k, n", "out c float32 m, n"),
            "m n k",
            ((1, 1, 1), (37, 5, 13), (68, 72, 20)),
        ),
        lambda a, b, m, n, k: {"c": a @ b},
    ),
    (
        Example(
            "matmul_turned",
            "return {'c': np.maximum(a.T @ b.T + bias, 0)}",
            ("in a float16 k, m", "in b float16 n, k", "in bias float32 n", "out c float16 m, n"),
            "m n k",
            ((7, 19, 5), (24, 16, 8)),
        ),
        lambda a, b, bias, m, n, k: {"c": np.maximum(a.T @ b.T + bias, 0)},
    ),
    (
        Example(
            "log_softmax_batch",
            "s = x - x.max(-1, keepdims=True)\nreturn {'y': s - np.log(np.exp(s).sum(-1, keepdims=True))}",
            ("in x float32 b, rows, cols", "out y float32 b, rows, cols"),
            "b rows cols",
            ((2, 3, 20),),
        ),
        lambda x, **_: {"y": x - np.log(np.exp(x).sum(-1, keepdims=True))},
    ),
    (
        Example(
            "matmul_double",
            "return {'c': a @ b}",
            ("in a float64 m, k", "in b float64 k, n", "out c float64 m, n"),
            "m n k",
            ((10, 12, 6),),
        ),
        lambda a, b, m, n, k: {"c": a @ b},
    ),
]


Pair = tuple[tuple[str, bool], tuple[str, bool]]


def pairs(space: Space, features: tuple[str, ...]) -> set[Pair]:
    """Which of each two features a kernel uses."""
    return set(combinations(((name, name in features) for name in space.features), 2))


def covering(space: Space) -> list[tuple[str, ...]]:
    """A pairwise covering array: each two features both, one, the other and neither, wherever a kernel can be so."""
    asked = [set(few) for count in range(3) for few in combinations(space.features, count)]
    some = [space.settle(names) for few in asked for names in (few, set(space.features) - few)]
    every = list(dict.fromkeys(some))
    chosen = [space.settle(()), space.settle(space.features)]
    missing = set[Pair]().union(*(pairs(space, features) for features in every))
    missing -= pairs(space, chosen[0]) | pairs(space, chosen[1])
    while missing:
        chosen.append(max(every, key=lambda features: len(pairs(space, features) & missing)))
        missing -= pairs(space, chosen[-1])
    return list(dict.fromkeys(chosen))


def variants(space: Space) -> list[tuple[str, ...]]:
    return list(space.by_sha.values()) if EXHAUSTIVE else covering(space)


SAME_FAMILY = {"matmul_double": "matmul"}
"""Examples whose features are those of another one; the plain kernel and that with every feature show their dtype."""


def sizes_of(example: Example, position: int) -> list[dict[str, int]]:
    """All sizes of the plain variant and of that with every feature, which come first; one of the others', in turn."""
    cases = example.cases()
    return cases if EXHAUSTIVE or position < 2 else [cases[position % len(cases)]]


@pytest.mark.parametrize(("example", "expected"), EXAMPLES, ids=[example.name for example, _ in EXAMPLES])
def test_every_variant_computes_what_the_reference_says(
    bench: Any, example: Example, expected: Callable[..., dict[str, Any]]
) -> None:
    task = bench.task(example.reference, example.arguments, example.dims, deterministic=example.deterministic)
    space = Space(task)
    several = variants(space)
    if example.name in SAME_FAMILY and not EXHAUSTIVE:
        del several[2:]
    for position, features in enumerate(several):
        for dims in sizes_of(example, position):
            bench.check(task, space.text(features), dims, expected)


@pytest.mark.parametrize(("example", "expected"), EXAMPLES, ids=[example.name for example, _ in EXAMPLES])
def test_every_value_of_every_tunable_is_right(
    bench: Any, example: Example, expected: Callable[..., dict[str, Any]]
) -> None:
    task = bench.task(example.reference, example.arguments, example.dims, deterministic=example.deterministic)
    space = Space(task)
    tuned = {name for name in space.features if name != "shared_memory_tiling"}
    for features in dict.fromkeys([space.settle(["block_size_tuning"]), space.settle(tuned)]):
        text = space.text(features)
        settings = sweep(parse(text))
        assert len(settings) <= 4
        for tune in settings if EXHAUSTIVE else settings[::3]:
            bench.check(task, text, example.cases()[-1], expected, tune)


@pytest.mark.parametrize("kept", ["register_blocking", "shared_memory_tiling"])
@pytest.mark.parametrize("cols", [8195, 8200])
def test_rows_longer_than_what_keeps_them_are_still_right(bench: Any, kept: str, cols: int) -> None:
    example, expected = EXAMPLES[3]
    task = bench.task(example.reference, example.arguments, example.dims)
    space = Space(task)
    for more in ((), ("vectorized_loads", "loop_unrolling", "grid_stride_loop")):
        bench.check(task, space.text(space.settle((kept, *more))), {"rows": 2, "cols": cols}, expected)


@pytest.mark.parametrize(("cols", "beyond"), [(1000, "0"), (8193, "1")])
def test_loops_beyond_the_registers_are_compiled_only_for_rows_that_reach_there(
    bench: Any, cols: int, beyond: str
) -> None:
    example, _ = EXAMPLES[3]
    task = bench.task(example.reference, example.arguments, example.dims)
    space = Space(task)
    kernel = parse(space.text(space.settle(["register_blocking"])))
    request = compile_request(kernel, task, {"rows": 2, "cols": cols}, None, "sm_90")
    assert dict(request.defines)["REST"] == beyond


def test_the_file_says_which_features_it_uses(bench: Any) -> None:
    example, _ = EXAMPLES[0]
    space = Space(bench.task(example.reference, example.arguments, example.dims))
    for features in variants(space):
        assert f"// features: {', '.join(features) or 'none'}\n" in space.text(features)


def test_no_two_variants_of_a_family_of_its_own_are_the_same_text(bench: Any) -> None:
    for example, _ in EXAMPLES:
        space = Space(bench.task(example.reference, example.arguments, example.dims))
        if space.family not in ("row program", "transpose"):
            continue
        codes = [
            text.split("\n", 2)[2] for text in (space.text(features) for features in space.by_sha.values())
        ]
        assert len(set(codes)) == len(codes), example.name


def test_a_deterministic_task_gets_no_floating_point_atomics(bench: Any) -> None:
    example = next(example for example, _ in EXAMPLES if example.name == "sum")
    space = Space(bench.task(example.reference, example.arguments, example.dims, deterministic=True))
    lines = [line for features in space.by_sha.values() for line in space.text(features).splitlines()]
    atomics = [line for line in lines if "atomicAdd" in line]
    assert atomics
    assert all("_done, 1u)" in line for line in atomics), "they count blocks"


def test_arguments_named_like_words_of_the_kernel_are_renamed(bench: Any) -> None:
    reference = "def reference(float_, i, k, row, n):\n    return {'exp': float_ + i * k - row}\n"
    names = (
        "in float_ float32 n",
        "in i float32 n",
        "in k float32 n",
        "in row float32 n",
        "out exp float32 n",
    )
    task = bench.task(reference, names, "n")
    space = Space(task)
    for features in (space.settle(space.features), ()):
        bench.check(
            task, space.text(features), {"n": 9}, lambda float_, i, k, row, n: {"exp": float_ + i * k - row}
        )


def test_the_name_of_a_task_changes_nothing(bench: Any) -> None:
    example, _ = EXAMPLES[0]
    task = bench.task(example.reference, example.arguments, example.dims)
    assert Space(replace(task, name="softmax")).by_sha == Space(replace(task, name="other")).by_sha


@pytest.mark.parametrize(("cols", "alone"), [(4096, False), (16, True)])
def test_a_thread_takes_a_row_of_its_own_only_where_rows_are_short(
    bench: Any, cols: int, alone: bool
) -> None:
    example, _ = EXAMPLES[3]
    task = bench.task(example.reference, example.arguments, example.dims)
    space = Space(replace(task, benches=(Case({"rows": 4096, "cols": cols}),)))
    texts = [space.text(features) for features in space.by_sha.values()]
    assert any("a thread works on a row" in text for text in texts) is alone


def test_a_row_in_shared_memory_is_compiled_once_for_all_lengths(bench: Any) -> None:
    example, _ = EXAMPLES[3]
    task = bench.task(example.reference, example.arguments, example.dims)
    space = Space(task)
    kernel_file = parse(space.text(space.settle(["shared_memory_tiling"])))
    requests = {
        planning.compile_request(kernel_file, task, {"rows": 3, "cols": cols}, None, "sm_90")
        for cols in (1, 33, 1031, 4096, 10000)
    }
    assert len(requests) == 1
