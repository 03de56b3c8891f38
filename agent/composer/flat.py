"""Loops over all elements in flat order: what elementwise kernels and full reductions share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.composer.expressions import dims, leaves, storage
from agent.composer.families import Problem, place
from agent.composer.ir import Dim, Leaf, Node
from agent.composer.kernel_text import KernelParameter, buffers, extent, indent
from agent.composer.names import Names
from agent.composer.shapes import Shape, product
from sandbox.dtypes import DTYPE_BYTES


@dataclass(frozen=True)
class LoopStyle:
    """How threads share the elements."""

    vector: bool
    grid_stride: bool
    unroll: bool


class FlatSpace:
    """The elements of a space in flat order, and how a kernel reads its arguments there."""

    def __init__(self, problem: Problem, space: Shape, roots: Sequence[Node], outputs: Iterable[str]) -> None:
        self.problem = problem
        self.leaves = leaves(roots)
        self.size = product(space)
        self._space = space
        self._dims = dims(roots)
        self._outputs = tuple(outputs)

    @property
    def width(self) -> int:
        """Elements that fill a 16-byte access of the widest array."""
        dtypes = [self.problem.arguments[leaf.name].dtype for leaf in self.full()]
        dtypes += [self.problem.arguments[name].dtype for name in self._outputs]
        return 16 // max(DTYPE_BYTES[dtype] for dtype in dtypes)

    def full(self) -> list[Leaf]:
        """The leaves with a value of their own at each element."""
        return [leaf for leaf in self.leaves if place(leaf, self._space).kind == "full"]

    def parameters(
        self, names: Names, *, read_only: bool
    ) -> tuple[tuple[KernelParameter, ...], dict[Node, str]]:
        """Declare what the loops touch; returns the parameters and a C name for each leaf, output and size.

        Outputs are keyed by a leaf without shape.
        """
        wanted = dict.fromkeys([leaf.name for leaf in self.leaves] + list(self._outputs))
        declared = buffers((self.problem.arguments[name] for name in wanted), names, read_only=read_only)
        texts: dict[Node, str] = {leaf: declared.names[leaf.name] for leaf in self.leaves}
        texts.update({Leaf(name): declared.names[name] for name in self._outputs})
        parameters = list(declared.parameters)
        for size in self._dims:
            name = texts[size] = names.fresh(f"extent_{size.text}" if size.text.isidentifier() else "extent")
            parameters.append(extent(name, size.text))
        if any(place(leaf, self._space).kind in ("row", "column") for leaf in self.leaves):
            parameters.append(extent("cols", self._space[-1]))
        parameters.append(extent("n", self.size))
        return tuple(parameters), texts

    def values(self, texts: Mapping[Node, str], index: str, packed: str | None = None) -> dict[Node, str]:
        """C expressions for leaves and sizes at an index; `packed` is the lane index of loaded packs."""
        found: dict[Node, str] = {node: text for node, text in texts.items() if isinstance(node, Dim)}
        for leaf in self.leaves:
            name = texts[leaf]
            if self.problem.arguments[leaf.name].is_scalar:
                found[leaf] = name
                continue
            match place(leaf, self._space).kind:
                case "full":
                    found[leaf] = f"{name}[{index}]" if packed is None else f"{name}_pack.lane[{packed}]"
                case "column":
                    found[leaf] = f"{name}[{_group(index)} % cols]"
                case "row":
                    found[leaf] = f"{name}[{_group(index)} / cols]"
                case _:
                    found[leaf] = f"{name}[0]"
        return found

    def pack_loads(self, texts: Mapping[Node, str]) -> list[str]:
        """Declare a pack for each full leaf, read at index `v`."""
        lines: list[str] = []
        for name, dtype in dict.fromkeys(
            (texts[x], self.problem.arguments[x.name].dtype) for x in self.full()
        ):
            ctype = storage(dtype)
            lines.append(
                f"const Pack<{ctype}> {name}_pack = reinterpret_cast<const Pack<{ctype}>*>({name})[v];"
            )
        return lines


def _group(index: str) -> str:
    return index if index.isidentifier() else f"({index})"


def loop(style: LoopStyle, index: str, count: str, body: str) -> str:
    """Write the loop over `index < count` in the given style."""
    if style.grid_stride:
        pragma = "#pragma unroll UNROLL\n" if style.unroll else ""
        first = f"int {index} = blockIdx.x * BLOCK + threadIdx.x"
        return (
            f"{pragma}for ({first}; {index} < {count}; {index} += gridDim.x * BLOCK) {{\n{indent(body)}}}\n"
        )
    guarded = f"if ({index} < {count}) {{\n{indent(body)}}}\n"
    if style.unroll:
        here = f"const int {index} = (blockIdx.x * UNROLL + step) * BLOCK + threadIdx.x;\n"
        return f"#pragma unroll\nfor (int step = 0; step < UNROLL; ++step) {{\n{indent(here + guarded)}}}\n"
    return f"const int {index} = blockIdx.x * BLOCK + threadIdx.x;\n{guarded}"


def tail(body: str) -> str:
    """Write the guard for the elements after the last whole pack, at index `tail`."""
    first = "const int tail = n / WIDTH * WIDTH + blockIdx.x * BLOCK + threadIdx.x;\n"
    return f"{first}if (tail < n) {{\n{indent(body)}}}\n"


def grid(style: LoopStyle, size: str) -> str:
    """The number of blocks that covers the elements, or as many as are wanted where threads stride."""
    work = f"ceil_div({size}, WIDTH)" if style.vector else size
    if style.grid_stride:
        return f"min(ceil_div({work}, BLOCK), GRID)"
    return f"ceil_div({work}, BLOCK * UNROLL)" if style.unroll else f"ceil_div({work}, BLOCK)"
