"""The corpus of honest kernels and of lost precision; a small part of it is judged here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.error_bound import Bench, KeptRows, Row, at_tests, summary
from benchmarks.error_corpus import Corpus
from tests.sandbox.simulator import in_process
from tools.local_toolbox import LocalToolbox
from tools.parts import local_parts

JUDGED = {
    ("product_of_mixed_magnitudes", "float32"): ["plain", "tf32", "dropped_tail"],
    ("rope", "float16"): ["plain", "half_angles"],
    ("jacobi", "float16"): ["half_arithmetic"],
    ("layer_norm_of_four", "float32"): ["plain", "missing_eps", "ddof"],
}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path / "tasks")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    opened = local_parts("sim:h200", tmp_path, 1)
    async with LocalToolbox("sim:h200", cache=tmp_path, parts=opened) as box:
        yield Bench(opened, box, tmp_path)


def test_the_corpus_is_large_enough(corpus: Corpus) -> None:
    samples = list(corpus.samples())
    assert len({sample.task for sample in samples}) >= 25
    assert sum(sample.honest for sample in samples) >= 60
    assert sum(not sample.honest for sample in samples) >= 25


def test_every_task_of_the_corpus_can_be_read(corpus: Corpus) -> None:
    for sample in corpus.samples():
        assert corpus.task(sample.task, sample.dtype).baseline


async def test_honest_kernels_pass_and_lost_precision_does_not(tmp_path: Path, corpus: Corpus) -> None:
    judged: dict[tuple[str, str], list[str]] = {task: [] for task in JUDGED}
    async with in_process.toolbox(tmp_path) as box:
        for sample in corpus.samples():
            task = (sample.task, sample.dtype)
            if sample.kernel in JUDGED.get(task, []):
                row = await at_tests(box, corpus.task(*task), sample, 1)
                assert row.passed is sample.honest, f"{task}, {sample.kernel}: {row.message}"
                judged[task].append(sample.kernel)
    assert judged == JUDGED


async def test_float32_arithmetic_stays_within_the_bound_at_benchmark_sizes(
    corpus: Corpus, bench: Bench
) -> None:
    task = corpus.task("jacobi", "float32")
    row = await bench.by_numpy(task, task.benches[0], 1)
    assert row.passed
    assert 0 < row.ratio < 1


def test_a_summary_counts_what_was_refused() -> None:
    rows = [
        Row("a", "plain", True, "test", 20, 0.5, True),
        Row("b", "plain", True, "test", 20, 2.0, False),
        Row("a", "lost", False, "test", 10, 9.0, False),
    ]
    honest, lost = summary(rows)
    assert "refused 1 / 2 kernels over 40 inputs, largest error 2 " in honest
    assert lost == "lost precision: refused 1 / 1 kernels"


def test_a_run_that_was_stopped_goes_on_with_the_rows_that_it_kept(tmp_path: Path, corpus: Corpus) -> None:
    rows, task = [Row("a", "plain", True, "test", 20, 0.5, True)], corpus.task("jacobi", "float32")
    KeptRows(tmp_path / "rows", "20 seeds, test").keep(task, "kernel", rows)
    again = KeptRows(tmp_path / "rows", "20 seeds, test")
    assert again.of(task, "kernel") == rows
    assert again.of(task, "another kernel") is None
    assert again.of(corpus.task("jacobi", "float16"), "kernel") is None
    assert KeptRows(tmp_path / "rows", "5 seeds, test").of(task, "kernel") is None
