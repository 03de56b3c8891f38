"""`definition.json` and `workload.jsonl`: how flashinfer-bench and SOL-ExecBench say what is to be computed.

A definition has named axes, inputs, outputs and a reference in PyTorch; a workload gives the sizes of its variable
axes and says where inputs come from. Fields that are not named here are left to others.
"""

from __future__ import annotations

import json
import keyword
import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sandbox.errors import UsageError
from tools.reports import LAX_RATIO, LAX_TOLERANCE

DEFINITION, WORKLOADS = "definition.json", "workload.jsonl"
MOST_BYTES = 16 << 20


class _OfDefinition(BaseModel):
    model_config = ConfigDict(frozen=True)


class ConstAxis(_OfDefinition):
    """A size that is the same in every workload."""

    type: Literal["const"]
    value: int = Field(ge=1)


class VarAxis(_OfDefinition):
    """A size that each workload gives."""

    type: Literal["var"]


class ExprAxis(_OfDefinition):
    """A size that follows from others."""

    type: Literal["expr"]
    expression: str = Field(min_length=1)


class DefinedTensor(_OfDefinition):
    """An input or an output; without a shape it is a number."""

    shape: tuple[str, ...] | None
    dtype: str


class Definition(_OfDefinition):
    """What is to be computed; `reference` is the text of a Python file with a function `run`."""

    name: str = Field(min_length=1)
    description: str | None = None
    op_type: str | None = Field(default=None, validation_alias=AliasChoices("op_type", "type"))
    axes: dict[str, Annotated[ConstAxis | VarAxis | ExprAxis, Field(discriminator="type")]]
    inputs: dict[str, DefinedTensor] = Field(min_length=1)
    outputs: dict[str, DefinedTensor] = Field(min_length=1)
    reference: str = Field(min_length=1)
    constraints: tuple[str, ...] | None = None
    custom_inputs_entrypoint: str | None = None

    @model_validator(mode="after")
    def _axes_are_known(self) -> Definition:
        for kind, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            for name, tensor in tensors.items():
                if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
                    raise ValueError(f"{kind}.{name}: expected a name that a parameter in Python can have")
                for axis in tensor.shape or ():
                    if axis not in self.axes and not axis.isdecimal():
                        raise ValueError(
                            f"{kind}.{name}.shape: expected axes of the definition ({', '.join(self.axes)}),"
                            f" found {axis}"
                        )
        for name in self.axes:
            if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or keyword.iskeyword(name):
                raise ValueError(f"axes.{name}: expected a name of letters, digits and `_`, a letter first")
        if both := sorted(set(self.inputs) & set(self.outputs)):
            raise ValueError(f"outputs.{both[0]}: an input has that name too")
        return self

    @property
    def variable(self) -> tuple[str, ...]:
        """The axes that workloads give."""
        return tuple(name for name, axis in self.axes.items() if isinstance(axis, VarAxis))

    @property
    def constant(self) -> dict[str, int]:
        """The axes whose size is said, with it."""
        return {name: axis.value for name, axis in self.axes.items() if isinstance(axis, ConstAxis)}


class InputSource(_OfDefinition):
    """Where an input of a workload comes from: `random`, `scalar` with its value, `safetensors` or `custom`."""

    type: Literal["random", "scalar", "safetensors", "custom"]
    value: int | float | bool | None = None


class PublishedTolerance(_OfDefinition):
    """When a benchmark calls a result right: this share of it errs by no more than atol + rtol * |expected|."""

    max_atol: float = LAX_TOLERANCE
    max_rtol: float = LAX_TOLERANCE
    required_matched_ratio: float = LAX_RATIO


class Workload(_OfDefinition):
    """The sizes of a run, and its inputs."""

    uuid: str = Field(min_length=1)
    axes: dict[str, Annotated[int, Field(ge=1)]]
    inputs: dict[str, InputSource]
    tolerance: PublishedTolerance = Field(
        default=PublishedTolerance(), validation_alias=AliasChoices("tolerance", "correctness")
    )


class PublishedProblem(_OfDefinition):
    """A definition with its workloads, and their texts as they were read."""

    definition: Definition
    workloads: tuple[Workload, ...]
    texts: dict[str, str]


def read_problem(folder: Path) -> PublishedProblem:
    """Read a folder's definition and workloads.

    Raises:
        UsageError: A file is missing or not what it should be; the text names file, line and what was expected.
    """
    texts = {name: _text(folder / name) for name in (DEFINITION, WORKLOADS)}
    definition = read_definition(texts[DEFINITION], str(folder / DEFINITION))
    workloads = read_workloads(texts[WORKLOADS], definition, str(folder / WORKLOADS))
    return PublishedProblem(definition=definition, workloads=workloads, texts=texts)


def read_definition(text: str, file: str) -> Definition:
    """Read a definition.

    Raises:
        UsageError: It is none; the text names file, line and what was expected.
    """
    found = _json(text, file, 1)
    try:
        return Definition.model_validate(found)
    except ValidationError as error:
        raise UsageError(_said(error, file, text)) from None


def read_workloads(text: str, definition: Definition, file: str) -> tuple[Workload, ...]:
    """Read workloads, one a line, each alone or in a trace without a result.

    Raises:
        UsageError: A line is none, or none suits the definition; the text names file, line and what was expected.
    """
    found: list[Workload] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        value = _json(line, file, number)
        inner = cast("dict[str, Any]", value).get("workload", value) if isinstance(value, dict) else value
        try:
            workload = Workload.model_validate(inner)
        except ValidationError as error:
            raise UsageError(_said(error, file, "", number)) from None
        _check_axes(workload, definition, f"{file}:{number}")
        found.append(workload)
    if not found:
        raise UsageError(f"{file}: expected a workload a line, found none")
    return tuple(found)


def _check_axes(workload: Workload, definition: Definition, where: str) -> None:
    if missing := [name for name in definition.variable if name not in workload.axes]:
        raise UsageError(
            f"{where}: axes: expected a size of {', '.join(definition.variable)}, found none of {missing[0]}"
        )
    for name, source in workload.inputs.items():
        if name not in definition.inputs:
            raise UsageError(
                f"{where}: inputs: expected inputs of the definition ({', '.join(definition.inputs)}), found {name}"
            )
        if source.type == "scalar" and source.value is None:
            raise UsageError(f"{where}: inputs.{name}: expected a value of the scalar, found none")


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"{path.parent}: expected {DEFINITION} and {WORKLOADS}, found no {path.name}"
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path}: expected at most {MOST_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}:{data.count(10, 0, error.start) + 1}: expected UTF-8 text") from None


def _json(text: str, file: str, first: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}:{first + error.lineno - 1}: expected JSON: {error.msg}") from None
    except RecursionError:
        raise UsageError(f"{file}:{first}: expected JSON of reasonable depth") from None


def _said(error: ValidationError, file: str, text: str, line: int | None = None) -> str:
    """The first thing that is wrong, with its place: that line, else the line of the key in the text."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"] if part not in ("const", "var", "expr")]
    message = str(first["msg"]).removeprefix("Value error, ")
    place = f"{'.'.join(path)}: " if path else ""
    keys = path or re.split(r"[.:]", message)[:2]
    return f"{file}:{line or _line(text, keys)}: {place}{message[:1].lower()}{message[1:]}"


def _line(text: str, path: list[str]) -> int:
    """The line of a key: each one of its path is looked for behind the one before."""
    position = 0
    for key in path:
        found = re.compile(rf'"{re.escape(key)}"\s*:').search(text, position)
        if found is None:
            break
        position = found.start()
    return text.count("\n", 0, position) + 1
