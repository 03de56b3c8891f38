"""Runs a file that defines a PyTorch function or module, up to its example inputs; in the worker.

Examples exist as fake tensors only: they have shapes and dtypes, and no memory, however large they are.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import linecache
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

import numpy as np

from sandbox.device import Array
from sandbox.torch_graphs.drawing import Drawing
from sandbox.torch_graphs.graph import ExportCall, ExportFault, InputOrigin

torch: Any = importlib.import_module("torch")
_fake: Any = importlib.import_module("torch._subclasses.fake_tensor")

_REAL_BYTES = 1 << 30
"""Modules with larger parameters are not built for real."""
_CONSTANT_ELEMENTS = 1 << 22
_MESSAGE_CHARACTERS = 600
_LEARNT = ("running_mean", "running_var")


class FileFault(Exception):
    """The file does not do what it should; `fault` is the answer."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.fault = ExportFault(message[:_MESSAGE_CHARACTERS], line)


@dataclass(frozen=True)
class Held:
    """A tensor that the function takes besides what its caller gives: a parameter, a buffer, a constant.

    Attributes:
        fake: With its shape and dtype.
        owner: Name of the class of the module that holds it.
        values: Of a constant.
    """

    path: str
    origin: InputOrigin
    fake: Any
    owner: str = ""
    data: str = ""
    values: Array | None = None


@dataclass(frozen=True)
class Given:
    """An example that the caller gives: a fake tensor, or what is no tensor."""

    name: str
    value: Any
    data: str = ""


@dataclass(frozen=True)
class LoadedTarget:
    """What is exported, ready to be called as `function(held values, given values)`.

    Attributes:
        mode: All fake tensors belong to it.
        integers: Whole numbers at the file's top level.
    """

    target: Any
    mode: Any
    held: tuple[Held, ...]
    given: tuple[Given, ...]
    integers: dict[str, int]
    notes: tuple[str, ...]


def load(call: ExportCall) -> LoadedTarget:
    """Run the file, make what is exported, and its example inputs.

    Raises:
        FileFault: The file raised, or lacks something.
    """
    module = _module(call)
    target = _named(module, call.target, call)
    mode = _fake.FakeTensorMode(allow_non_fake_inputs=True)
    notes: list[str] = []
    if inspect.isclass(target):
        target = _built(target, _settings(module, call), call, mode)
    if isinstance(target, torch.nn.Module):
        notes += _without_dropout(target)
    held = _held(target, mode) if isinstance(target, torch.nn.Module) else []
    given = _given(_named(module, call.inputs, call), target, call, mode, held)
    found = {name: value for name, value in vars(module).items() if type(value) is int and value > 1}
    return LoadedTarget(target, mode, tuple(held), tuple(given), found, tuple(notes))


def attempt(call: ExportCall, work: Callable[[], Any], doing: str) -> Any:
    """Do what runs the file's code; what it raises is told with its line.

    Raises:
        FileFault: It raised.
    """
    try:
        return work()
    except (MemoryError, FileFault):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  the file's own code may raise anything
        raise FileFault(f"{doing}: {_said(error)}", _line(error, call)) from None


def _said(error: BaseException) -> str:
    text = str(error).strip().split("\n\n")[0].split("\nWhile executing")[0]
    return f"{type(error).__name__}: {' '.join(text.split())}"


def _line(error: BaseException, call: ExportCall) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == call.file:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == call.file), None)


def _module(call: ExportCall) -> ModuleType:
    module = ModuleType("imported")
    linecache.cache[call.file] = (len(call.text), None, call.text.splitlines(keepends=True), call.file)

    def run() -> None:
        exec(compile(call.text, call.file, "exec"), vars(module))

    torch.manual_seed(0)
    attempt(call, run, "running the file")
    return module


def _named(module: ModuleType, name: str, call: ExportCall) -> Any:
    if not hasattr(module, name):
        defined = sorted(one for one in vars(module) if not one.startswith("_"))
        raise FileFault(f"expected {name}, found {', '.join(defined)[:200] or 'nothing'}")
    return getattr(module, name)


def _settings(module: ModuleType, call: ExportCall) -> tuple[list[Any], dict[str, Any]]:
    """Arguments and keywords for the class: a list, or a pair of both."""
    if not call.settings or not hasattr(module, call.settings):
        return [], {}
    found = attempt(call, getattr(module, call.settings), f"calling {call.settings}")
    if found is None:
        return [], {}
    if isinstance(found, dict):
        return [], cast("dict[str, Any]", found)
    if not isinstance(found, list | tuple):
        raise FileFault(f"expected a list from {call.settings}, found {type(found).__name__}")
    given = list(cast("list[Any]", found))
    if len(given) == 2 and isinstance(given[0], list | tuple) and isinstance(given[1], dict):
        return list(cast("list[Any]", given[0])), cast("dict[str, Any]", given[1])
    return given, {}


def _built(kind: Any, settings: tuple[list[Any], dict[str, Any]], call: ExportCall, mode: Any) -> Any:
    """Make the module for real where that is cheap, for its constants; else of fake tensors."""
    positional, words = settings
    fake = None
    with contextlib.suppress(Exception, SystemExit), mode:  # values are asked for: only the real one has them
        fake = kind(*positional, **words)
    if fake is not None:
        if sum(one.numel() * one.element_size() for one in fake.parameters()) > _REAL_BYTES:
            return fake
        if not any(True for _ in fake.buffers()):
            with contextlib.suppress(Exception):  # an operator that this worker lacks, as of half precision
                return kind(*positional, **words)
            return fake
    return attempt(call, lambda: kind(*positional, **words), f"making {call.target}")


def _without_dropout(module: Any) -> list[str]:
    random = torch.nn.modules.dropout._DropoutNd
    found = [one for one in module.modules() if isinstance(one, random) and one.training and one.p > 0]
    for one in found:
        one.eval()
    return (
        ["dropout is random in training: it is taken as in evaluation, where it does nothing"]
        if found
        else []
    )


def _held(module: Any, mode: Any) -> list[Held]:
    owners: dict[str, Any] = {path: type(one) for path, one in module.named_modules()}
    held: list[Held] = []
    for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
        owner = owners.get(path.rpartition(".")[0])
        own = owner.__name__ if owner is not None and owner.__module__.startswith("torch.nn.") else ""
        learnt = isinstance(tensor, torch.nn.Parameter) or (own and path.rpartition(".")[2] in _LEARNT)
        faked = isinstance(tensor, _fake.FakeTensor)
        fake = tensor.detach() if faked else mode.from_tensor(tensor.detach(), static_shapes=True)
        if learnt:
            held.append(Held(path, InputOrigin.PARAMETER, fake, own))
        elif faked:
            raise FileFault(f"{path} holds values, and the module is too large to be made for them")
        else:
            held.append(Held(path, InputOrigin.CONSTANT, fake, own, values=constant(tensor, path)))
    return held


def constant(tensor: Any, path: str) -> Array:
    """Return the values of a tensor that is part of the code.

    Raises:
        FileFault: There are too many.
    """
    if tensor.numel() > _CONSTANT_ELEMENTS:
        raise FileFault(f"{path} holds {tensor.numel()} values: expected at most {_CONSTANT_ELEMENTS}")
    wide = tensor.detach().double() if tensor.is_floating_point() else tensor.detach()
    # A view of a larger tensor would travel whole.
    return np.array(wide.cpu().numpy())


def _given(make: Any, target: Any, call: ExportCall, mode: Any, held: list[Held]) -> list[Given]:
    """The examples, named as the function names them."""
    drawing = Drawing()

    def examples() -> Any:
        with mode, drawing:
            return make()

    found: object = attempt(call, examples, f"calling {call.inputs}")
    if isinstance(found, dict):
        named = _by_name(cast("dict[str, Any]", found), _parameters(target, call), call, held)
        return [_example(name, value, drawing, mode) for name, value in named.items()]
    if not isinstance(found, list | tuple):
        raise FileFault(f"expected a list of inputs from {call.inputs}, found {type(found).__name__}")
    values = list(cast("list[Any]", found))
    if not values:
        raise FileFault(f"expected a list of inputs from {call.inputs}, found none")
    names = _names(target, len(values), call)
    return [_example(name, value, drawing, mode) for name, value in zip(names, values, strict=True)]


def _example(name: str, value: Any, drawing: Drawing, mode: Any) -> Given:
    if isinstance(value, float):
        with mode:
            return Given(name, torch.full((), value), f"constant({value:g})")
    if not isinstance(value, torch.Tensor):
        if value is None or isinstance(value, bool | int | str):
            return Given(name, value)
        raise FileFault(
            f"expected tensors and plain numbers as inputs, found {type(value).__name__} for {name}"
        )
    drawn = drawing.of(value)
    dtype = str(value.dtype).removeprefix("torch.")
    if not isinstance(value, _fake.FakeTensor):
        value = mode.from_tensor(value, static_shapes=True)
    return Given(name, value.detach(), "" if drawn is None else drawn.data(dtype))


def _parameters(target: Any, call: ExportCall) -> list[inspect.Parameter]:
    function = target.forward if isinstance(target, torch.nn.Module) else target
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise FileFault(
            f"expected a function or a module, found {type(target).__name__} for {call.target}"
        ) from None


def _by_name(
    found: dict[str, Any], parameters: list[inspect.Parameter], call: ExportCall, held: list[Held]
) -> dict[str, Any]:
    """The inputs in the function's order, from what names them and parameters of the module."""
    takes = {
        one.name: one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    }
    own = {one.path: one for one in held}
    for name, value in found.items():
        if name not in takes and name not in own:
            known = ", ".join([*takes, *own])
            raise FileFault(f"expected inputs and parameters of {call.target} ({known[:300]}), found {name}")
        wanted = None if name in takes else own[name].fake
        if wanted is not None and (tuple(value.shape), value.dtype) != (tuple(wanted.shape), wanted.dtype):
            is_, was = (f"{one.dtype}{list(one.shape)}".removeprefix("torch.") for one in (wanted, value))
            raise FileFault(f"expected {is_} for {name}, found {was}")
    last = max((place for place, name in enumerate(takes) if name in found), default=-1)
    given: dict[str, Any] = {}
    for place, (name, one) in enumerate(takes.items()):
        if name not in found and one.default is one.empty:
            raise FileFault(
                f"expected an input {name} of {call.target}, found {', '.join(found) or 'nothing'}"
            )
        if place <= last:
            given[name] = found.get(name, one.default)
    return given


def _names(target: Any, count: int, call: ExportCall) -> list[str]:
    parameters = _parameters(target, call)
    positional = [
        one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    if any(one.kind == one.VAR_POSITIONAL for one in parameters):
        positional += [f"input_{number}" for number in range(len(positional), count)]
    if count > len(positional):
        raise FileFault(f"{call.inputs} returns {count} inputs, and {call.target} takes {len(positional)}")
    return positional[:count]
