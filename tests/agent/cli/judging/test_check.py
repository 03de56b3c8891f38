"""`check` and `profile` over the real tools."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from agent.cli.judging.kernels import LARGEST_KERNEL, read_kernel
from sandbox.errors import UsageError

Warpwright = Callable[..., Result]
AsJson = Callable[..., tuple[int, Any]]


def test_a_correct_kernel_passes_and_its_latency_is_called_estimated(
    warpwright: Warpwright, good: Path, quick: str
) -> None:
    result = warpwright("check", good, "--task", quick)
    assert result.exit_code == 0, result.output
    assert "estimated us" in result.stdout
    assert "isolation" in result.stdout
    assert "measured" not in result.stdout


def test_check_json_is_one_object_with_the_whole_judgement(as_json: AsJson, good: Path, quick: str) -> None:
    status, report = as_json("check", good, "--task", quick)
    assert status == 0
    assert (report["verdict"], report["task"], report["device"]) == ("pass", "vector_add", "sim:h200")
    assert report["provenance"] == "estimated"
    assert {"compile", "test"} <= {stage["name"] for stage in report["stages"]}
    assert report["message"]


TWO_LAUNCHES = """\
//@ launch add<<<1, 1024>>>(x, y, out, n)
//@ launch add<<<ceil_div(n, 1024), 1024>>>(x, y, out, n)
__global__ void add(const float* x, const float* y, float* out, int n) {
  int i = blockIdx.x * 1024 + threadIdx.x;
  if (i < n) out[i] = x[i] + y[i];
}
"""


def test_what_was_only_counted_is_no_plain_pass_and_strict_fails(
    warpwright: Warpwright, as_json: AsJson, tmp_path: Path, quick: str
) -> None:
    large, shape = tmp_path / "large", 1 << 31
    shutil.copytree(quick, large)
    table = large / "task.toml"
    table.write_text(re.sub(r"(\[\[bench\]\]\s*dims = \{ n = )\d+", rf"\g<1>{shape - 1}", table.read_text()))
    kernel = tmp_path / "twice.cu"
    kernel.write_text(TWO_LAUNCHES)
    status, report = as_json("check", kernel, "--task", large)
    assert (status, report["verdict"], report["not_judged"]) == (0, "pass", [{"n": shape - 1}])
    result = warpwright("check", kernel, "--task", large, "--strict")
    assert result.exit_code == 3
    assert f"pass (not judged at n={shape - 1})" in result.stdout
    assert "--strict asks for one" in result.stderr
    assert warpwright("check", kernel, "--task", quick, "--strict").exit_code == 0


def test_a_wrong_kernel_exits_1_and_shows_the_first_wrong_elements(
    warpwright: Warpwright, wrong: Path, quick: str
) -> None:
    result = warpwright("check", wrong, "--task", quick)
    assert result.exit_code == 1, result.output
    assert "wrong_result" in result.stdout
    assert "expected" in result.stdout
    assert "estimated us" not in result.stdout


def test_a_wrong_kernel_that_benchmarks_would_let_pass_is_called_that_too(
    warpwright: Warpwright, good: Path, wrong: Path, quick: str
) -> None:
    good.write_text(good.read_text().replace("x[i] + y[i]", "x[i] + y[i] + 0.005f"))
    near, far = warpwright("check", good, "--task", quick), warpwright("check", wrong, "--task", quick)
    assert (near.exit_code, far.exit_code) == (1, 1)
    assert "SOL-ExecBench and flashinfer-bench would let it pass: 99% of the elements" in near.stdout
    assert "would let it pass" not in far.stdout


def test_all_that_is_wrong_is_shown_with_the_lines(
    warpwright: Warpwright, tmp_path: Path, good: Path, quick: str
) -> None:
    twice = tmp_path / "twice.cu"
    twice.write_text(good.read_text().replace("x[i] + y[i]", "x[i] + y[i + n]"))
    result = warpwright("check", twice, "--task", quick)
    assert result.exit_code == 1, result.output
    assert "memory_fault: " in result.stdout
    assert "    5 | if (i < n) out[i] = x[i] + y[i + n];" in result.stdout


def test_a_kernel_that_does_not_compile_exits_1_with_its_line(
    as_json: AsJson, tmp_path: Path, good: Path, quick: str
) -> None:
    broken = tmp_path / "broken.cu"
    broken.write_text(good.read_text().replace("x[i] + y[i]", "x[i] + zebra"))
    status, report = as_json("check", broken, "--task", quick)
    assert (status, report["verdict"]) == (1, "compile_error")
    assert any(
        found["line"] == 5 and "zebra" in found["message"] for found in report["compile"]["diagnostics"]
    )


def test_a_file_that_breaks_the_contract_exits_1_as_rejected(
    as_json: AsJson, tmp_path: Path, quick: str
) -> None:
    empty = tmp_path / "empty.cu"
    empty.write_text("")
    status, report = as_json("check", empty, "--task", quick)
    assert (status, report["verdict"]) == (1, "rejected")


def test_a_sweep_keeps_the_best_of_the_tunables_values(as_json: AsJson, good: Path, quick: str) -> None:
    status, report = as_json("check", good, "--task", quick, "--sweep")
    assert status == 0
    assert report["swept"] == 2
    assert report["tune"]["BLOCK"] in (64, 128)


def test_profile_puts_the_kernel_beside_the_baseline(
    warpwright: Warpwright, as_json: AsJson, good: Path, quick: str
) -> None:
    result = warpwright("profile", good, "--task", quick)
    assert result.exit_code == 0, result.output
    assert "baseline estimated us" in result.stdout
    status, report = as_json("profile", good, "--task", quick)
    assert status == 0
    assert (report["task"], report["device"], report["provenance"]) == ("vector_add", "sim:h200", "estimated")
    assert report["latency_us"] > 0


@pytest.mark.parametrize(
    "path", ["-", "missing.cu", "/dev/null", "binary.cu", "nul.cu", "long.cu", "bad\0name"]
)
def test_what_is_no_kernel_file_is_one_message(
    path: str, warpwright: Warpwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: str
) -> None:
    (tmp_path / "binary.cu").write_bytes(b"\x7fELF\xff\xfe")
    (tmp_path / "nul.cu").write_bytes(b"text\0text")
    (tmp_path / "long.cu").write_bytes(b" " * (LARGEST_KERNEL + 1))
    monkeypatch.chdir(tmp_path)
    result = warpwright("check", path, "--task", quick)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("warpwright: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_byte_order_mark_is_no_part_of_a_kernel(tmp_path: Path) -> None:
    path = tmp_path / "marked.cu"
    path.write_bytes(b"\xef\xbb\xbfint x;")
    assert read_kernel(str(path)) == "int x;"


def test_a_file_that_may_not_be_read_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.cu"
    path.write_text("int x;")

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match=r"secret\.cu cannot be read: Permission denied"):
        read_kernel(str(path))


@pytest.mark.parametrize("command", ["check", "profile"])
def test_mistakes_are_a_message_on_stderr_and_an_object_on_stdout(
    command: str, as_json: AsJson, good: Path, quick: str
) -> None:
    status, answer = as_json(command, good, "--task", "no_such_task")
    assert (status, answer["exit_status"]) == (2, 2)
    assert "no_such_task" in answer["error"]
    status, answer = as_json(command, good, "--task", quick, "--device", "sim:abacus")
    assert status == 2
    assert "sim:h200" in answer["error"]
    status, answer = as_json(command, good, "--task", quick, "--device", "cuda:0")
    assert status == 3
    assert "cuda:0" in answer["error"]
