"""Definitions and workloads of flashinfer-bench and SOL-ExecBench: read, or refused with file, line and key."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.importing.definition_source import EXAMPLES, example_sizes, source_of
from agent.importing.definitions import Definition, read_problem
from sandbox.errors import UsageError
from tests.agent.export.published_problem import DEFINITION, WORKLOADS, write_problem

Change = Callable[[dict[str, Any], list[dict[str, Any]]], None]


def changed(change: Change) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    definition, workloads = copy.deepcopy(DEFINITION), copy.deepcopy(WORKLOADS)
    change(definition, workloads)
    return definition, workloads


def test_a_problem_is_read_with_workloads_alone_or_in_traces(tmp_path: Path) -> None:
    plain = read_problem(write_problem(tmp_path / "a"))
    traces = [{"definition": "add_d4", "workload": one, "solution": None} for one in WORKLOADS]
    assert read_problem(write_problem(tmp_path / "b", workloads=traces)).workloads == plain.workloads
    assert plain.definition.variable == ("N",)
    assert example_sizes(plain.definition, "d", plain.workloads[1].axes) == {"N": 250, "D": 4}
    assert plain.workloads[0].tolerance.required_matched_ratio == 0.99


def test_the_tolerance_of_a_workload_goes_by_both_its_names(tmp_path: Path) -> None:
    lax = {"max_atol": 0.1, "max_rtol": 0.2, "required_matched_ratio": 0.9}
    for key in ("tolerance", "correctness"):
        workloads = [{**WORKLOADS[0], key: lax}]
        assert (
            read_problem(write_problem(tmp_path, workloads=workloads)).workloads[0].tolerance.max_rtol == 0.2
        )


def _no_axes(definition: dict[str, Any], _: Any) -> None:
    del definition["axes"]


def _odd_axis(definition: dict[str, Any], _: Any) -> None:
    definition["axes"]["D"]["type"] = "free"


def _zero_axis(definition: dict[str, Any], _: Any) -> None:
    definition["axes"]["D"]["value"] = 0


def _lost_axis(definition: dict[str, Any], _: Any) -> None:
    definition["inputs"]["W"]["shape"] = ["N", "K"]


def _bad_name(definition: dict[str, Any], _: Any) -> None:
    definition["inputs"]["x); import os"] = definition["inputs"].pop("W")


def _no_size(_: Any, workloads: list[dict[str, Any]]) -> None:
    workloads[1]["axes"] = {}


def _odd_input(_: Any, workloads: list[dict[str, Any]]) -> None:
    workloads[1]["inputs"]["Z"] = {"type": "random"}


def _no_value(_: Any, workloads: list[dict[str, Any]]) -> None:
    workloads[0]["inputs"]["X"] = {"type": "scalar"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_no_axes, r"definition.json:1: axes: field required"),
        (_odd_axis, r"definition.json:8: axes.D: input tag 'free' .* expected tags: 'const', 'var', 'expr'"),
        (_zero_axis, r"definition.json:10: axes.D.value: input should be greater than or equal to 1"),
        (
            _lost_axis,
            r"definition.json:\d+: inputs.W.shape: expected axes of the definition \(N, D\), found K",
        ),
        (_bad_name, r"inputs.x\); import os: expected a name that a parameter in Python can have"),
        (_no_size, r"workload.jsonl:2: axes: expected a size of N, found none of N"),
        (_odd_input, r"workload.jsonl:2: inputs: expected inputs of the definition \(X, W\), found Z"),
        (_no_value, r"workload.jsonl:1: inputs.X: expected a value of the scalar"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change: Change, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        read_problem(write_problem(tmp_path, *changed(change)))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("definition.json", '{\n "name": "x",\n', r"definition.json:3: expected JSON"),
        ("definition.json", "[1]", r"definition.json:1: .*valid dictionary"),
        ("workload.jsonl", "{}\n", r"workload.jsonl:1: uuid: field required"),
        ("workload.jsonl", "\n\n", r"workload.jsonl: expected a workload a line, found none"),
        ("workload.jsonl", "7\n", r"workload.jsonl:1: .*valid dictionary"),
    ],
)
def test_broken_files_are_named(name: str, text: str, said: str, tmp_path: Path) -> None:
    write_problem(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        read_problem(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=re.escape(f"found no {name}")):
        read_problem(tmp_path)


def test_axes_follow_from_expressions_and_constraints() -> None:
    definition = Definition.model_validate(
        {
            **DEFINITION,
            "axes": {
                "H": {"type": "const", "value": 64},
                "heads": {"type": "var"},
                "kv": {"type": "var"},
                "half": {"type": "expr", "expression": "H / 2 + kv"},
            },
            "inputs": {"X": {"shape": ["heads", "half"], "dtype": "float32"}},
            "outputs": {"Y": {"shape": ["H", "kv"], "dtype": "float32"}},
            "constraints": ["heads == kv * 4"],
        }
    )
    assert example_sizes(definition, "d") == {"H": 64, "heads": 148, "kv": 37, "half": 69}


def test_the_file_to_export_makes_examples_of_what_workloads_say(tmp_path: Path) -> None:
    definition, workloads = changed(
        lambda one, _: one["inputs"].update(eps={"shape": None, "dtype": "float32"})
    )
    workloads = [
        {**one, "inputs": {**one["inputs"], "eps": {"type": "scalar", "value": 1}}} for one in workloads
    ]
    source = source_of(read_problem(write_problem(tmp_path, definition, workloads)), "add")
    assert source.sizes == {"N": 37, "D": 4}
    assert "torch.randn((N, D, ), dtype=torch.float32), 1.0]" in source.text
    compile(source.text, "run.py", "exec")
    assert f"def {EXAMPLES}():" in source.text
    assert json.loads(json.dumps(source.scalars)) == {"eps": 1.0}


def _sampling(definition: dict[str, Any], _: Any) -> None:
    definition["op_type"] = "sampling"


def _eight_bits(definition: dict[str, Any], _: Any) -> None:
    definition["inputs"]["X"]["dtype"] = "float8_e4m3fn"


def _number_out(definition: dict[str, Any], _: Any) -> None:
    definition["outputs"]["Y"]["shape"] = None


def _of_data(definition: dict[str, Any], _: Any) -> None:
    definition["constraints"] = ["N == X[-1].item()"]


def _offsets(definition: dict[str, Any], workloads: list[dict[str, Any]]) -> None:
    definition["inputs"]["X"]["dtype"] = "int32"
    for one in workloads:
        one["inputs"]["X"] = {"type": "custom"}


def _two_values(definition: dict[str, Any], workloads: list[dict[str, Any]]) -> None:
    definition["inputs"]["eps"] = {"shape": None, "dtype": "float32"}
    for value, one in enumerate(workloads):
        one["inputs"]["eps"] = {"type": "scalar", "value": value}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_sampling, r"op_type: results that are drawn by chance"),
        (_eight_bits, r"inputs.X.dtype: expected one of float16, .*, found float8_e4m3fn"),
        (_number_out, r"outputs.Y.shape: expected a list of axes, found null"),
        (_of_data, r"constraints.0"),
        (_offsets, r"inputs.X: custom int32 have a meaning that random numbers do not"),
        (_two_values, r"inputs.eps: expected one value of this number in all workloads, found 2 values"),
    ],
)
def test_what_no_task_can_say_is_refused_with_its_key(change: Change, said: str, tmp_path: Path) -> None:
    problem = read_problem(write_problem(tmp_path, *changed(change)))
    with pytest.raises(UsageError, match=said):
        source_of(problem, "folder")


def test_floats_of_files_are_stood_in_for_and_it_is_said(tmp_path: Path) -> None:
    workloads = copy.deepcopy(WORKLOADS)
    workloads[0]["inputs"]["W"] = {"type": "safetensors", "path": "a", "tensor_key": "w"}
    source = source_of(read_problem(write_problem(tmp_path, workloads=workloads)), "folder")
    assert source.notes == ("W is safetensors in workloads: random numbers stand in for it",)
