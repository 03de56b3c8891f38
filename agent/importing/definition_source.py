"""A definition as a Python file whose `run` can be exported: its reference, and a function that makes example inputs.

Variable axes get sizes that no other axis has, so that what is exported says which axis is where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.importing.definitions import (
    DEFINITION,
    WORKLOADS,
    ConstAxis,
    DefinedTensor,
    Definition,
    ExprAxis,
    PublishedProblem,
)
from sandbox.dtypes import DTYPE_BYTES
from sandbox.errors import UsageError
from tools.expressions import Expression, ExpressionError, parse

EXAMPLES = "warpwright_example_inputs"
"""What the function with example inputs is called."""
_SIZES = (37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103)
_WHOLE = {"int8": (-128, 127), "bool": (0, 1)}
_TIED = re.compile(r"\s*([A-Za-z_]\w*)\s*==\s*(.+?)\s*")


@dataclass(frozen=True)
class DefinitionSource:
    """A file to export, and what it says of the definition.

    Attributes:
        text: The reference with `EXAMPLES` behind it.
        sizes: Of every axis in the examples, those that follow from others too.
        notes: What stands in for something else.
    """

    text: str
    sizes: dict[str, int]
    notes: tuple[str, ...] = ()
    scalars: Mapping[str, int | float | bool] = field(default_factory=dict[str, int | float | bool])


def source_of(problem: PublishedProblem, file: str) -> DefinitionSource:
    """Write the file of a definition.

    Args:
        problem: The definition and its workloads.
        file: What messages call the definition's folder.

    Raises:
        UsageError: It cannot be made a task; the text names the key, and why.
    """
    definition = problem.definition
    notes: list[str] = []
    if definition.op_type == "sampling":
        raise UsageError(f"{file}/{DEFINITION}: op_type: results that are drawn by chance cannot be judged")
    sizes = example_sizes(definition, f"{file}/{DEFINITION}")
    scalars = _scalars(problem, file)
    lines = [f"    {name} = {size}" for name, size in sizes.items()]
    made: list[str] = []
    for name, tensor in definition.inputs.items():
        _check_dtype(tensor, f"{file}/{DEFINITION}: inputs.{name}.dtype")
        if tensor.shape is None:
            made.append(repr(scalars[name]))
            continue
        notes += _standing_in(problem, name, tensor, file)
        made.append(_example(tensor))
    for name, tensor in definition.outputs.items():
        _check_dtype(tensor, f"{file}/{DEFINITION}: outputs.{name}.dtype")
        if tensor.shape is None:
            raise UsageError(
                f"{file}/{DEFINITION}: outputs.{name}.shape: expected a list of axes, found null: kernels fill arrays"
            )
    known = "".join(
        f"if {name!r} not in globals():\n    {name} = {sizes[name]}\n"
        for name in definition.axes
        if name in sizes
    )
    text = "\n".join(
        [definition.reference.rstrip(), "", "", f"def {EXAMPLES}():", "    import torch", "", *lines,
         f"    return [{', '.join(made)}]", "", "", known]
    )  # fmt: skip
    return DefinitionSource(text, sizes, tuple(notes), scalars)


def example_sizes(
    definition: Definition, file: str, given: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return the size of every axis, those that follow from others or from a constraint too.

    Args:
        definition: Whose.
        file: For messages.
        given: Of the variable axes; by default sizes that no other axis has.

    Raises:
        UsageError: A constraint or an expression is more than arithmetic on axes, or does not hold.
    """
    tied = _ties(definition, file)
    free = [name for name in definition.variable if name not in tied]
    taken = set(definition.constant.values())
    fresh = iter(size for size in _SIZES if size not in taken)
    sizes = dict(definition.constant)
    sizes |= {name: (next(fresh) if given is None else given[name]) for name in free}
    rest = dict(tied)
    for name, axis in definition.axes.items():
        if isinstance(axis, ExprAxis):
            rest[name] = _expression(axis.expression, f"{file}: axes.{name}.expression")
    while rest:
        ready = [name for name, one in rest.items() if one.names <= set(sizes)]
        if not ready:
            raise UsageError(f"{file}: axes: {', '.join(rest)} follow from each other, or from no axis")
        for name in ready:
            try:
                sizes[name] = rest.pop(name).evaluate(sizes)
            except ExpressionError as error:
                raise UsageError(f"{file}: axes.{name}: {error}") from None
    return {name: sizes[name] for name in definition.axes}


def _ties(definition: Definition, file: str) -> dict[str, Expression]:
    """The variable axes that constraints compute from others."""
    found: dict[str, Expression] = {}
    for number, text in enumerate(definition.constraints or ()):
        where = f"{file}: constraints.{number}"
        sides = _TIED.fullmatch(text)
        if sides is None or sides[1] not in definition.axes:
            raise UsageError(f"{where}: expected AXIS == an expression of other axes, found `{text}`: sizes that"
                             " depend on data are no sizes of a task")  # fmt: skip
        expression = _expression(sides[2], where)
        if unknown := sorted(expression.names - set(definition.axes)):
            raise UsageError(f"{where}: `{text}` depends on {unknown[0]}, which is no axis")
        if not isinstance(definition.axes[sides[1]], ConstAxis | ExprAxis):
            found[sides[1]] = expression
    return found


def _expression(text: str, where: str) -> Expression:
    try:
        return parse(re.sub(r"(?<!/)/(?!/)", "//", text))
    except ExpressionError as error:
        raise UsageError(f"{where}: {error}") from None


def _scalars(problem: PublishedProblem, file: str) -> dict[str, int | float | bool]:
    """The value of every number among the inputs, which is the same in all workloads."""
    found: dict[str, int | float | bool] = {}
    for name, tensor in problem.definition.inputs.items():
        if tensor.shape is not None:
            continue
        sources = [one.inputs[name] for one in problem.workloads if name in one.inputs]
        values = dict.fromkeys(one.value for one in sources if one.type == "scalar" and one.value is not None)
        if len(values) != 1:
            said = "none" if not values else f"{len(values)} values"
            raise UsageError(
                f"{file}/{WORKLOADS}: inputs.{name}: expected one value of this number in all workloads, found {said}"
            )
        value = next(iter(values))
        assert value is not None, "they were left out"
        found[name] = float(value) if "float" in tensor.dtype else value
    return found


def _check_dtype(tensor: DefinedTensor, where: str) -> None:
    if tensor.dtype not in DTYPE_BYTES:
        raise UsageError(f"{where}: expected one of {', '.join(DTYPE_BYTES)}, found {tensor.dtype}")


def _standing_in(problem: PublishedProblem, name: str, tensor: DefinedTensor, file: str) -> list[str]:
    """Say what random numbers stand in for; refuse where they cannot."""
    kinds = sorted({one.inputs[name].type for one in problem.workloads if name in one.inputs} - {"random"})
    if not kinds:
        return []
    if "float" not in tensor.dtype:
        raise UsageError(
            f"{file}/{WORKLOADS}: inputs.{name}: {kinds[0]} {tensor.dtype} have a meaning that random numbers do not:"
            " offsets and indices of a file cannot be made up"
        )
    return [f"{name} is {kinds[0]} in workloads: random numbers stand in for it"]


def _example(tensor: DefinedTensor) -> str:
    shape = f"({''.join(f'{axis}, ' for axis in tensor.shape or ())})"
    if "float" in tensor.dtype:
        return f"torch.randn({shape}, dtype=torch.{tensor.dtype})"
    low, high = _WHOLE.get(tensor.dtype, (-1024, 1023))
    return f"torch.randint({low}, {high + 1}, {shape}, dtype=torch.{tensor.dtype})"
