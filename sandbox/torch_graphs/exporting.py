"""PyTorch's own export of what was loaded, with every size free that can be; in the worker."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.torch_graphs.graph import ExportCall, InputOrigin
from sandbox.torch_graphs.loading import FileFault, Held, LoadedTarget, attempt, load

torch: Any = importlib.import_module("torch")
fx: Any = importlib.import_module("torch.fx")

_VIEWS = frozenset(
    {"view", "slice", "select", "transpose", "permute", "t", "expand", "unsqueeze", "squeeze", "alias"}
)
_NARROW = ("float16", "bfloat16", "float32")


@dataclass(frozen=True)
class ExportedProgram:
    """An exported program.

    Attributes:
        program: PyTorch's.
        loaded: What it was made from.
    """

    program: Any
    loaded: LoadedTarget


class _Functional(torch.nn.Module):
    """A function or module as a function of all tensors: those it holds first, then those it is given."""

    def __init__(self, loaded: LoadedTarget) -> None:
        torch.nn.Module.__init__(self)
        # A plain attribute: its parameters are arguments here.
        object.__setattr__(self, "loaded", loaded)

    def forward(self, held: Any, given: Any) -> Any:
        """Call it."""
        target = self.loaded.target
        rest = iter(given)
        values = [next(rest) if _is_tensor(one.value) else one.value for one in self.loaded.given]
        if not isinstance(target, torch.nn.Module):
            return target(*values)
        names = [one.path for one in self.loaded.held]
        return torch.func.functional_call(target, dict(zip(names, held, strict=True)), tuple(values))


def export(call: ExportCall) -> ExportedProgram:
    """Load a file and export its function.

    Raises:
        FileFault: It cannot be loaded, or not be exported: control flow that depends on values, and the like.
    """
    loaded = load(call)
    held = tuple(one.fake for one in loaded.held)
    given = tuple(one.value for one in loaded.given if _is_tensor(one.value))
    if not given:
        raise FileFault(f"{call.inputs} returns no tensor: nothing is computed from nothing")
    shapes = {
        "held": tuple(
            _free(one.fake, call.fixed or _keeps_its_size(one), _small_axes(one)) for one in loaded.held
        ),
        "given": tuple(_free(one, call.fixed, frozenset()) for one in given),
    }

    def work() -> Any:
        # Where gradients are off already, what turns them off is no operator of its own.
        with torch.no_grad():
            program = torch.export.export(
                _Functional(loaded), (held, given), dynamic_shapes=shapes, strict=False
            )
        return program.run_decompositions({}) if _changes_in_place(program.graph) else program

    before = _numbers(loaded.target)
    program = attempt(call, work, f"exporting {call.target}")
    changed = [name for name, value in _numbers(loaded.target).items() if before.get(name, value) != value]
    if changed:
        raise FileFault(
            f"its attribute {changed[0]} changes as it is called: it computes something else each time"
        )
    return ExportedProgram(program, loaded)


def _numbers(target: Any) -> dict[str, object]:
    """Plain values that modules keep as attributes, by path."""
    if not isinstance(target, torch.nn.Module):
        return {}
    modules: list[tuple[str, Any]] = list(target.named_modules())
    found: list[tuple[str, dict[str, object]]] = [(path, vars(one)) for path, one in modules]
    return {
        f"{path}.{name}".lstrip("."): value
        for path, attributes in found
        for name, value in attributes.items()
        if isinstance(value, bool | int | float | str)
    }


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _free(tensor: Any, fixed: bool, axes: frozenset[int]) -> dict[int, Any]:
    kept, free = torch.export.Dim.STATIC, torch.export.Dim.AUTO
    return {axis: kept if fixed or axis in axes else free for axis in range(tensor.dim())}


def _keeps_its_size(held: Held) -> bool:
    # Symbolic gates of recurrent cells take sympy minutes.
    return held.origin is InputOrigin.CONSTANT or held.owner in (
        "LSTM",
        "GRU",
        "RNN",
        "LSTMCell",
        "GRUCell",
        "RNNCell",
    )


def _small_axes(held: Held) -> frozenset[int]:
    """Which axes of a parameter are no sizes: the windows of convolutions."""
    return frozenset(range(2, held.fake.dim())) if held.owner.startswith("Conv") else frozenset()


def operator_name(node: Any) -> str:
    """Return the name of a node's operator, with its overload; `getitem` and the like for plain functions."""
    return str(node.target) if hasattr(node.target, "overloadpacket") else node.target.__name__


def base_name(node: Any) -> str:
    """Return the name of a node's operator alone, as `linear`."""
    return operator_name(node).removeprefix("aten.").partition(".")[0]


def _changes_in_place(graph: Any) -> bool:
    """Whether what an operator changes in place is used again otherwise."""
    for node in graph.nodes:
        if node.op == "call_function" and is_in_place(node):
            changed = node.args[0]
            if changed.op == "placeholder" and not node.users:
                continue  # statistics that nothing reads
            if changed.op == "placeholder" or len(changed.users) > 1 or base_name(changed) in _VIEWS:
                return True
    return False


def is_in_place(node: Any) -> bool:
    """Whether the operator changes its first argument."""
    name = base_name(node)
    return name.endswith("_") and not name.startswith("_")


class Wide(fx.Interpreter):
    """Computes a graph in float64, without what is random."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Call an operator."""
        name = getattr(target, "__name__", "").partition(".")[0]
        if name == "_assert_tensor_metadata":
            return None  # what was traced was as it says; here it has other dtypes, and no memory
        if name in ("dropout", "dropout_", "feature_dropout", "alpha_dropout"):
            return args[0]
        if name == "scaled_dot_product_attention" and len(args) > 4:
            args = (*args[:4], 0.0, *args[5:])
        if name.startswith("conv") and len(args) > 6 and args[1].shape[0] % args[6]:
            raise ValueError("channels that groups do not divide")  # tensors without memory would let it pass
        args = tuple(map(_widened, args))
        return fx.Interpreter.call_function(
            self, target, args, {name: _widened(value) for name, value in kwargs.items()}
        )


def _widened(value: Any) -> Any:
    narrow = isinstance(value, torch.dtype) and str(value).removeprefix("torch.") in _NARROW
    return torch.float64 if narrow else value


def run_part(
    program: Any, values: Mapping[str, Any], outputs: Sequence[str], size: Callable[[Any], int]
) -> tuple[Any, ...]:
    """Compute some nodes of a program from values of others, by their names.

    Args:
        program: PyTorch's.
        values: Enough to compute the outputs from.
        outputs: Names of nodes.
        size: Says what a size of the program is.

    Raises:
        Exception: Whatever PyTorch has against these tensors; KeyError where the values are not enough.
    """
    module = program.graph_module
    nodes = {node.name: node for node in module.graph.nodes}
    env = {nodes[name]: value for name, value in values.items()}
    interpreter = Wide(module)
    interpreter.env = env
    needed: set[Any] = set()
    open_nodes = [nodes[name] for name in outputs]
    while open_nodes:
        node = open_nodes.pop()
        if node in env or node in needed:
            continue
        if not isinstance(node.meta.get("val"), torch.Tensor | tuple | list):
            env[node] = size(node.meta["val"])
            continue
        if node.op == "placeholder":
            raise KeyError(node.name)
        needed.add(node)
        open_nodes += node.all_input_nodes
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            for node in module.graph.nodes:
                if node in needed:
                    env[node] = interpreter.run_node(node)
    finally:
        torch.set_default_dtype(default)
    return tuple(env[nodes[name]] for name in outputs)


def run(program: Any, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """Compute a program's own outputs from a tensor for every placeholder.

    Raises:
        Exception: Whatever PyTorch has against these tensors.
    """
    module = program.graph_module
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        values = [arguments[node.name] for node in module.graph.nodes if node.op == "placeholder"]
        with torch.no_grad():
            found = Wide(module).run(*values, enable_io_processing=False)
    finally:
        torch.set_default_dtype(default)
    specs = program.graph_signature.output_specs
    return tuple(value for value, spec in zip(found, specs, strict=True) if spec.kind.name == "USER_OUTPUT")
