"""Kernels for the elementwise family."""

from __future__ import annotations

from dataclasses import dataclass

from agent.composer.expressions import storage
from agent.composer.families import Elementwise
from agent.composer.flat import FlatSpace, LoopStyle, grid, loop, tail
from agent.composer.functions import ElementFunction, FunctionMaker, texts
from agent.composer.ir import Leaf, Node
from agent.composer.kernel_text import PACK, file_text, indent, kernel, launch, tune
from agent.composer.names import Names
from agent.composer.options import Options


@dataclass(frozen=True)
class ElementwiseOptions(Options):
    """Features of elementwise kernels."""

    vectorized_loads: bool = False
    grid_stride_loop: bool = False
    loop_unrolling: bool = False
    block_size_tuning: bool = False
    read_only_cache: bool = False


def features(family: Elementwise) -> tuple[str, ...]:
    """The features that can change a kernel of this task."""
    return ElementwiseOptions(*[True] * 5).features


def emit(family: Elementwise, options: ElementwiseOptions) -> str:
    """Write the kernel file."""
    maker = FunctionMaker(family.problem)
    space = FlatSpace(
        family.problem,
        family.space,
        [node for _, node in family.outputs],
        [name for name, _ in family.outputs],
    )
    many = len(family.outputs) > 1
    functions = {
        name: maker.make(
            f"compute_{name}" if many else "compute", node, {}, family.problem.arguments[name].dtype
        )
        for name, node in family.outputs
    }
    style = LoopStyle(options.vectorized_loads, options.grid_stride_loop, options.loop_unrolling)
    parameters, names = space.parameters(Names("ikvn"), read_only=options.read_only_cache)
    body = (
        _vector_body(space, functions, names, style)
        if style.vector
        else _plain_body(space, functions, names, style)
    )
    directives = [
        tune("BLOCK", 256, (128, 256, 512), swept=options.block_size_tuning),
        *(["//@ define WIDTH = " + str(space.width)] if style.vector else []),
        *([tune("UNROLL", 4, (2, 4), swept=not options.block_size_tuning)] if style.unroll else []),
        *(
            [tune("GRID", 1056, (528, 1056), swept=not options.block_size_tuning)]
            if style.grid_stride
            else []
        ),
        launch("elementwise", f"{grid(style, space.size)}, BLOCK", parameters),
    ]
    code = [PACK if style.vector else "", texts(list(functions.values()))]
    code.append(kernel("elementwise", parameters, body, threads="BLOCK"))
    dtypes = [argument.dtype for argument in family.problem.arguments.values()]
    headline = "Elementwise: every output element from the input elements at the same place."
    return file_text(headline, options.features, directives, dtypes, code)


def _stores(
    functions: dict[str, ElementFunction], names: dict[Node, str], at: str, values: dict[Node, str]
) -> str:
    return "".join(f"{names[Leaf(name)]}[{at}] = {made.call(values)};\n" for name, made in functions.items())


def _plain_body(
    space: FlatSpace, functions: dict[str, ElementFunction], names: dict[Node, str], style: LoopStyle
) -> str:
    return loop(style, "i", "n", _stores(functions, names, "i", space.values(names, "i")))


def _vector_body(
    space: FlatSpace, functions: dict[str, ElementFunction], names: dict[Node, str], style: LoopStyle
) -> str:
    values = space.values(names, "v * WIDTH + k", "k")
    lines = space.pack_loads(names)
    inner = ""
    for name, made in functions.items():
        lines.append(f"Pack<{_ctype(space, name)}> {names[Leaf(name)]}_result;")
        inner += f"{names[Leaf(name)]}_result.lane[k] = {made.call(values)};\n"
    lines += ["#pragma unroll", "for (int k = 0; k < WIDTH; ++k) {"]
    body = "\n".join(lines) + f"\n{indent(inner)}}}\n"
    for name in functions:
        target = names[Leaf(name)]
        body += f"reinterpret_cast<Pack<{_ctype(space, name)}>*>({target})[v] = {target}_result;\n"
    rest = _stores(functions, names, "tail", space.values(names, "tail"))
    return f"const int vectors = n / WIDTH;\n{loop(style, 'v', 'vectors', body)}{tail(rest)}"


def _ctype(space: FlatSpace, name: str) -> str:
    return storage(space.problem.arguments[name].dtype)
