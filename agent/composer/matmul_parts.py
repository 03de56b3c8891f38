"""What the kernels for matrix products share: parameters, element access, and final values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.composer.expressions import Kind, Writer, storage
from agent.composer.families import MatrixProduct, place
from agent.composer.functions import FunctionMaker
from agent.composer.ir import Dim, Leaf, Node
from agent.composer.kernel_text import KernelParameter, buffers, extent
from agent.composer.names import Names
from agent.composer.shapes import ShapeError
from sandbox.dtypes import DTYPE_BYTES


@dataclass(frozen=True)
class Piece:
    """The parts of a kernel file that differ between ways to multiply."""

    headline: str
    directives: Sequence[str]
    body: str
    threads: str
    functions: Sequence[str] = ()


class ProductCode:
    """Names and C expressions for one matrix product."""

    def __init__(self, family: MatrixProduct, *, read_only: bool) -> None:
        self._arguments = family.problem.arguments
        self._family = family
        left, right = family.product.left, family.product.right
        if not isinstance(left, Leaf) or not isinstance(right, Leaf):
            raise ShapeError("a matrix product of something other than two inputs")
        self._left, self._right = left, right
        maker = FunctionMaker(family.problem)
        self._writer = Writer(maker.types, {})
        kind = max(maker.leaf_kind(left), maker.leaf_kind(right), Kind.INTEGER)
        self.ctype = maker.types.name(kind)
        output = self._arguments[family.output].dtype
        self.output_ctype = storage(output)
        self.function = maker.make("final_value", family.value, {family.product: kind}, output)
        self._bind(read_only=read_only)

    def _bind(self, *, read_only: bool) -> None:
        names = Names("ijrsmnk")
        extra = [node for node in self.function.inputs if isinstance(node, Leaf)]
        touched = dict.fromkeys([self._left.name, self._right.name, *(leaf.name for leaf in extra)])
        touched |= dict.fromkeys([self._family.output])
        declared = buffers((self._arguments[name] for name in touched), names, read_only=read_only)
        self.names = declared.names
        self._values: dict[Node, str] = {}
        sizes: list[KernelParameter] = []
        for node in self.function.inputs:
            if isinstance(node, Dim):
                self._values[node] = names.fresh("extent")
                sizes.append(extent(self._values[node], node.text))
        self.rows, self.cols = self._family.space
        self.inner = (self._left.shape or ("1", "1"))[1]
        sizes += [extent("m", self.rows), extent("n", self.cols), extent("k", self.inner)]
        self.parameters = (*declared.parameters, *sizes)

    @property
    def left_name(self) -> str:
        """The left matrix's parameter."""
        return self.names[self._left.name]

    @property
    def right_name(self) -> str:
        """The right matrix's parameter."""
        return self.names[self._right.name]

    @property
    def output_name(self) -> str:
        """The result's parameter."""
        return self.names[self._family.output]

    @property
    def left_turned(self) -> bool:
        """Whether the left matrix lies transposed in memory."""
        return self._left.transposed

    @property
    def right_turned(self) -> bool:
        """Whether the right matrix lies transposed in memory."""
        return self._right.transposed

    @property
    def left_ctype(self) -> str:
        """C type of the left matrix's elements in memory."""
        return storage(self._arguments[self._left.name].dtype)

    @property
    def right_ctype(self) -> str:
        """C type of the right matrix's elements in memory."""
        return storage(self._arguments[self._right.name].dtype)

    def left_width(self) -> int:
        """Elements of the left matrix in 16 bytes."""
        return 16 // DTYPE_BYTES[self._arguments[self._left.name].dtype]

    def right_width(self) -> int:
        """Elements of the right matrix in 16 bytes."""
        return 16 // DTYPE_BYTES[self._arguments[self._right.name].dtype]

    def grid(self, across: str, down: str) -> str:
        """Blocks that cover the result."""
        return f"(ceil_div({self.cols}, {across}), ceil_div({self.rows}, {down}))"

    def _at(self, leaf: Leaf, row: str, col: str, strides: tuple[str, str]) -> str:
        major, minor, stride = (col, row, strides[1]) if leaf.transposed else (row, col, strides[0])
        return f"{self.names[leaf.name]}[static_cast<size_t>({major}) * {stride} + {minor}]"

    def left(self, row: str, i: str) -> str:
        """An element of the left matrix, as it is in memory."""
        return self._at(self._left, row, i, ("k", "m"))

    def right(self, i: str, col: str) -> str:
        """An element of the right matrix, as it is in memory."""
        return self._at(self._right, i, col, ("n", "k"))

    def left_value(self, text: str) -> str:
        """An element of the left matrix, converted for computing."""
        return self._converted(self._left, text)

    def right_value(self, text: str) -> str:
        """An element of the right matrix, converted for computing."""
        return self._converted(self._right, text)

    def _converted(self, leaf: Leaf, text: str) -> str:
        if storage(self._arguments[leaf.name].dtype) == self.ctype:
            return text
        return f"static_cast<{self.ctype}>({text})"

    def final(self, row: str, col: str, total: str) -> str:
        """What is stored for an element of the result."""
        values = dict(self._values)
        values[self._family.product] = total
        for node in self.function.inputs:
            if isinstance(node, Leaf):
                values[node] = self._beside(node, row, col)
        return self.function.call(values)

    def _beside(self, leaf: Leaf, row: str, col: str) -> str:
        name = self.names[leaf.name]
        if self._arguments[leaf.name].is_scalar:
            return name
        match place(leaf, self._family.space).kind:
            case "full":
                return f"{name}[static_cast<size_t>({row}) * n + {col}]"
            case "column":
                return f"{name}[{col}]"
            case "row":
                return f"{name}[{row}]"
            case _:
                return f"{name}[0]"

    def store(self, row: str, col: str, total: str) -> str:
        """The statement that stores an element of the result."""
        return f"{self.output_name}[static_cast<size_t>({row}) * n + {col}] = {self.final(row, col, total)};"


ElementAccess = Callable[[str, str], str]
