"""PyTorch's own operators for references that NumPy has no words for: `from torch_operators import aten`.

`aten("grid_sampler_2d.default", x, grid, 0, 0, False)` calls that operator of ATen on copies of its arrays and
returns arrays; floating ones are float64, or float32 where a reference is asked for its results in float32. The first
call imports PyTorch.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any, cast

import numpy

from sandbox.errors import MissingDependencyError
from sandbox.reference.places import resampled
from sandbox.syntax_trees import syntax_tree

np: Any = numpy

MODULE = "torch_operators"
"""What a reference imports `aten` from."""

NEEDED = (
    "this task's reference asks PyTorch's own operators, and the package torch is not installed:"
    " pip install 'warpwright[torch]' (its build for processors is enough)"
)
_BROKEN = "this task's reference asks PyTorch's own operators, and PyTorch cannot be imported in its worker"
_UNSAID = ("empty", "resize", "from_file", "set_")
"""What operators are called, or begin with, whose results are whatever lies in memory, or in a file."""
_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_OTHERS = frozenset({"bool", "uint8", "int8", "int16", "int32", "int64"})


_SINGLE: ContextVar[bool] = ContextVar("single", default=False)


class OperatorError(ValueError):
    """An operator cannot be called from a reference, or refuses its arguments; the text says why."""


@lru_cache(64)
def asks_for_torch(text: str) -> bool:
    """Whether a reference imports this module."""
    if MODULE not in text:
        return False
    return any(
        (isinstance(node, ast.ImportFrom) and node.module == MODULE)
        or (isinstance(node, ast.Import) and any(one.name == MODULE for one in node.names))
        for node in _nodes(text)
    )


def operators_of(text: str) -> tuple[str, ...]:
    """Return the names of the operators that a reference calls, each once, in order; none where it asks for none."""
    if not asks_for_torch(text):
        return ()
    calls = [node for node in _nodes(text) if isinstance(node, ast.Call) and node.args]
    named = [
        one.args[0].value
        for one in sorted(calls, key=lambda one: (one.lineno, one.col_offset))
        if isinstance(one.func, ast.Name) and one.func.id == "aten" and isinstance(one.args[0], ast.Constant)
    ]
    return tuple(dict.fromkeys(str(one).removesuffix(".default") for one in named))


def said_of(names: Sequence[str]) -> str:
    """Say what a reference asks PyTorch for; empty where that is nothing."""
    if not names:
        return ""
    return (
        f"its reference asks PyTorch's own operators, in float64, for {', '.join(names)}: wherever it is judged there"
        " must be PyTorch (pip install 'warpwright[torch]')"
    )


def _nodes(text: str) -> list[ast.AST]:
    try:
        return list(ast.walk(syntax_tree(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # whoever runs the reference says so
        return []


def why_not(overload: Any) -> str:
    """Say why a reference cannot call an overload of an operator; empty where it can.

    Args:
        overload: PyTorch's, or None where it has none of that name.
    """
    if overload is None or getattr(overload, "namespace", "") != "aten":
        return "it is none of ATen's operators"
    schema, name = overload._schema, overload._schema.name.removeprefix("aten::")
    tags = {str(tag).rpartition(".")[2] for tag in overload.tags}
    if "nondeterministic_seeded" in tags:
        return "it draws at random"
    if schema.is_mutable:
        return "it changes its arguments"
    if "dynamic_output_shape" in tags:
        return "the shape of its results depends on values"
    if name.startswith(_UNSAID) or name.startswith("new_empty"):
        return "its results do not follow from its arguments"
    if not schema.returns or any(str(one.type) not in ("Tensor", "List[Tensor]") for one in schema.returns):
        return "its results are no tensors"
    return ""


def overload_of(name: str) -> Any:
    """Return PyTorch's operator of a name with its overload, as `linear.default`; None where there is none."""
    base, _, overload = name.removeprefix("aten.").partition(".")
    found = getattr(_torch().ops.aten, base, None)
    return getattr(found, overload or "default", None)


def aten(name: str, *arguments: Any, **keywords: Any) -> Any:
    """Call an operator of ATen, and return an array, or a list of them.

    Args:
        name: With its overload, as `grid_sampler_2d.default`.
        arguments: Arrays, numbers, truth values, None, names of dtypes and other words, and lists of them.
        keywords: The same.

    Raises:
        OperatorError: There is no such operator, it is not a function of its arguments, or it refuses them.
        MissingDependencyError: PyTorch is not installed.
    """
    torch, overload = _torch(), overload_of(str(name))
    if fault := why_not(overload):
        raise OperatorError(f"PyTorch's operator {name} cannot be part of a reference: {fault}")
    wide = "float32" if _SINGLE.get() else _common([*arguments, *keywords.values()])
    default = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, wide))
    try:
        given, words = _given(overload, arguments, keywords, wide)
        with torch.no_grad():
            found = resampled(torch, overload, given, words, overload(*given, **words))
            return _returned(found, wide)
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
        said = str(error).strip().partition("\n")[0]
        raise OperatorError(f"PyTorch's operator {name}: {said}") from None
    finally:
        torch.set_default_dtype(default)


@contextmanager
def in_single() -> Generator[None]:
    """Compute in float32 meanwhile, whatever is given: a kernel rounds what it computed of whole numbers too."""
    token = _SINGLE.set(True)
    try:
        yield
    finally:
        _SINGLE.reset(token)


@cache
def _torch() -> Any:
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == "torch"
        raise MissingDependencyError(NEEDED if absent else f"{_BROKEN}: {error}") from None
    torch.set_num_threads(1)
    return torch


def _common(values: Sequence[Any]) -> str:
    """The dtype of all floating arrays among these: float32 where none of them is wider."""
    found = {one.dtype for one in _arrays(values) if one.dtype.kind in "fc"}
    single = bool(found) and all(one in (np.dtype(np.float32), np.dtype(np.complex64)) for one in found)
    return "float32" if single else "float64"


def _arrays(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for one in values:
        if isinstance(one, numpy.ndarray | numpy.generic):
            found.append(one)
        elif isinstance(one, list | tuple):
            found += _arrays(cast("Sequence[Any]", one))
    return found


def _given(
    overload: Any, arguments: Sequence[Any], keywords: dict[str, Any], wide: str
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments as the schema has them: tensors where it wants tensors, plain values elsewhere."""
    kinds = {one.name: str(one.type) for one in overload._schema.arguments}
    named = list(kinds)
    if len(arguments) > len(named):
        raise TypeError(f"expected at most {len(named)} arguments, found {len(arguments)}")
    given = [_value(one, kinds[name], wide) for one, name in zip(arguments, named, strict=False)]
    return given, {name: _value(one, kinds.get(name, ""), wide) for name, one in keywords.items()}


def _value(value: Any, kind: str, wide: str) -> Any:
    if isinstance(value, list | tuple):
        return [_value(one, kind, wide) for one in cast("Sequence[Any]", value)]
    if value is None:
        return None
    if isinstance(value, str):
        return getattr(_torch(), wide if value in _FLOATS else value) if value in _FLOATS | _OTHERS else value
    if "Tensor" in kind:
        return _tensor(value, wide)
    if isinstance(value, numpy.ndarray | numpy.generic):
        return cast("Any", value).item()
    return value


def _tensor(value: Any, wide: str) -> Any:
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = array.astype(wide)
    elif array.dtype.kind == "c":
        array = array.astype("complex64" if wide == "float32" else "complex128")
    # A copy: an operator may change what its schema does not say, or return its argument.
    return _torch().from_numpy(np.array(array, order="C", ndmin=0))


def _returned(value: Any, wide: str) -> Any:
    if isinstance(value, list | tuple):
        return [_returned(one, wide) for one in cast("Sequence[Any]", value)]
    if value is None:
        return None
    tensor = value.resolve_conj().resolve_neg()
    tensor = tensor.to(getattr(_torch(), wide)) if tensor.is_floating_point() else tensor
    return np.array(tensor.contiguous().numpy())[()]
