"""Kernels that reduce all elements to one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.composer.expressions import Kind, Types, storage
from agent.composer.families import FullReduction
from agent.composer.flat import FlatSpace, LoopStyle, grid, loop, tail
from agent.composer.functions import ElementFunction, FunctionMaker, texts
from agent.composer.gathering import block_by_shuffles, block_by_tree
from agent.composer.ir import Leaf, Node, Reduce
from agent.composer.kernel_text import (
    PACK,
    KernelParameter,
    accumulate,
    buffers,
    extent,
    file_text,
    identity,
    indent,
    kernel,
    launch,
    tune,
)
from agent.composer.names import Names
from agent.composer.options import Options


@dataclass(frozen=True)
class FullReductionOptions(Options):
    """Features of full reductions. Without `two_pass_reduction`, one block does all where order matters."""

    two_pass_reduction: bool = False
    warp_shuffle_reduction: bool = False
    vectorized_loads: bool = False
    grid_stride_loop: bool = False
    loop_unrolling: bool = False
    block_size_tuning: bool = False
    read_only_cache: bool = False

    def settled(self) -> FullReductionOptions:
        """Striding over a grid needs more than one block."""
        return replace(self, two_pass_reduction=self.two_pass_reduction or self.grid_stride_loop)


def features(family: FullReduction) -> tuple[str, ...]:
    """The features that can change a kernel of this task."""
    return FullReductionOptions(*[True] * 7).features


@dataclass(frozen=True)
class _Term:
    """One of the reductions: how an element enters, and where the sum so far is kept."""

    reduction: Reduce
    function: ElementFunction
    kind: Kind
    name: str

    def gather(self, call: str, types: Types) -> str:
        return accumulate(self.reduction.op, self.kind, types, self.name, call)


class _FullReductionEmission:
    def __init__(self, family: FullReduction, options: FullReductionOptions) -> None:
        self._family = family
        self._options = options
        self._maker = FunctionMaker(family.problem)
        self._types = self._maker.types
        self._names = Names("ikvn")
        operands = [reduction.operand for reduction in family.reductions]
        self._space = FlatSpace(family.problem, family.space, operands, ())
        self._parameters, self._texts = self._space.parameters(self._names, read_only=options.read_only_cache)
        self._terms = [self._term(number, reduction) for number, reduction in enumerate(family.reductions)]
        one_block = not options.two_pass_reduction and not self._atomic
        self._style = LoopStyle(
            options.vectorized_loads,
            one_block or options.grid_stride_loop or self._atomic,
            options.loop_unrolling,
        )

    def _term(self, number: int, reduction: Reduce) -> _Term:
        suffix = str(number) if len(self._family.reductions) > 1 else ""
        function = self._maker.make(f"term{suffix}", reduction.operand, {})
        kind = max(function.kind, Kind.INTEGER)
        return _Term(reduction, function, kind, self._names.fresh(f"running_{reduction.op}"))

    @property
    def _atomic(self) -> bool:
        """Whether blocks may add to the output directly: a plain sum whose order does not matter."""
        family = self._family
        return (
            not self._options.two_pass_reduction
            and family.value == family.reductions[0]
            and family.reductions[0].op == "sum"
            and storage(family.problem.arguments[family.output].dtype)
            == self._types.name(self._terms[0].kind)
            and (self._terms[0].kind is Kind.INTEGER or not family.problem.ordered)
            and self._types.name(self._terms[0].kind) != "long long"
        )

    def text(self) -> str:
        if self._options.two_pass_reduction:
            headline = "A reduction of all elements: a partial result a block, then one block combines them."
            directives, kernels = self._two_pass()
        elif self._atomic:
            headline = "A sum of all elements: every block adds its part to the output."
            directives, kernels = self._with_atomics()
        else:
            headline = "A reduction of all elements by one block."
            directives, kernels = self._one_block()
        options = self._options
        tuning = [
            tune("BLOCK", 256, (128, 256, 512), swept=options.block_size_tuning),
            *([f"//@ define WIDTH = {self._space.width}"] if self._style.vector else []),
            *([tune("UNROLL", 4, (2, 4), swept=not options.block_size_tuning)] if self._style.unroll else []),
        ]
        block = block_by_shuffles if options.warp_shuffle_reduction else block_by_tree
        gathered = dict.fromkeys((term.reduction.op, term.kind) for term in self._terms)
        code = [
            PACK if self._style.vector else "",
            texts([*(term.function for term in self._terms), *([] if self._atomic else [self._finish()])]),
            *(block(op, kind, self._types) for op, kind in gathered),
            *kernels,
        ]
        dtypes = [argument.dtype for argument in self._family.problem.arguments.values()]
        return file_text(headline, options.features, [*tuning, *directives], dtypes, code)

    def _one_block(self) -> tuple[list[str], list[str]]:
        target, parameters, texts_ = self._finish_parameters(self._names)
        declared = (*self._parameters[:-1], *parameters, self._parameters[-1])
        body = self._accumulate() + self._reduce_block() + self._store(target, texts_)
        return [launch("reduce", "1, BLOCK", declared)], [kernel("reduce", declared, body, threads="BLOCK")]

    def _with_atomics(self) -> tuple[list[str], list[str]]:
        target, (output, *_), _ = self._finish_parameters(self._names)
        declared = (*self._parameters[:-1], output, self._parameters[-1])
        body = self._accumulate() + self._reduce_block()
        body += _first_thread(f"atomicAdd({target}, {self._terms[0].name});\n")
        zero = kernel("zero", (output,), f"{target}[0] = 0;\n", threads="1")
        directives = [
            self._grid_tuning(),
            launch("zero", "1, 1", (output,)),
            launch("reduce", f"{grid(self._style, self._space.size)}, BLOCK", declared),
        ]
        return directives, [zero, kernel("reduce", declared, body, threads="BLOCK")]

    def _two_pass(self) -> tuple[list[str], list[str]]:
        scratch = [self._names.fresh(f"partial_{term.reduction.op}") for term in self._terms]
        types = [self._types.name(term.kind) for term in self._terms]
        written = [KernelParameter(f"{t}* {name}", name) for t, name in zip(types, scratch, strict=True)]
        declared = (*self._parameters[:-1], *written, self._parameters[-1])
        pairs = list(zip(self._terms, scratch, strict=True))
        store = "".join(f"{name}[blockIdx.x] = {term.name};\n" for term, name in pairs)
        first = self._accumulate() + self._reduce_block() + _first_thread(store)
        names = Names("ikvn")
        target, tail_parameters, texts_ = self._finish_parameters(names)
        read = [KernelParameter(f"const {t}* {name}", name) for t, name in zip(types, scratch, strict=True)]
        count = extent("count", "BLOCKS")
        joined = "".join(term.gather(f"{name}[i]", self._types) for term, name in pairs)
        second = self._start() + f"for (int i = threadIdx.x; i < count; i += BLOCK) {{\n{indent(joined)}}}\n"
        second += self._reduce_block() + self._store(target, texts_)
        finish = (*read, *tail_parameters, count)
        dtype = {"float": "float32", "double": "float64", "int": "int32", "long long": "int64"}
        directives = [
            *([self._grid_tuning()] if self._style.grid_stride else []),
            f"//@ define BLOCKS = {grid(self._style, self._space.size)}",
            *(f"//@ scratch {name}: {dtype[t]}[BLOCKS]" for t, name in zip(types, scratch, strict=True)),
            launch("reduce", "BLOCKS, BLOCK", declared),
            launch("finish", "1, BLOCK", finish),
        ]
        kernels = [
            kernel("reduce", declared, first, threads="BLOCK"),
            kernel("finish", finish, second, threads="BLOCK"),
        ]
        return directives, kernels

    def _grid_tuning(self) -> str:
        return tune("GRID", 1056, (528, 1056), swept=not self._options.block_size_tuning)

    def _start(self) -> str:
        text = ""
        for term in self._terms:
            start = identity(term.reduction.op, term.kind, self._types)
            text += f"{self._types.name(term.kind)} {term.name} = {start};\n"
        return text

    def _gather(self, values: Mapping[Node, str]) -> str:
        return "".join(term.gather(term.function.call(values), self._types) for term in self._terms)

    def _accumulate(self) -> str:
        """Every thread's own part, by the loop style in use."""
        if not self._style.vector:
            return self._start() + loop(
                self._style, "i", "n", self._gather(self._space.values(self._texts, "i"))
            )
        inner = self._gather(self._space.values(self._texts, "v * WIDTH + k", "k"))
        lines = [*self._space.pack_loads(self._texts), "#pragma unroll", "for (int k = 0; k < WIDTH; ++k) {"]
        body = "\n".join(lines) + f"\n{indent(inner)}}}\n"
        rest = tail(self._gather(self._space.values(self._texts, "tail")))
        return (
            f"{self._start()}const int vectors = n / WIDTH;\n{loop(self._style, 'v', 'vectors', body)}{rest}"
        )

    def _reduce_block(self) -> str:
        return "".join(f"{term.name} = reduce_{term.reduction.op}({term.name});\n" for term in self._terms)

    def _finish_parameters(self, names: Names) -> tuple[str, tuple[KernelParameter, ...], dict[Node, str]]:
        """Declare the output and what the final value needs besides the reductions."""
        finish = self._finish()
        leaves = [node for node in finish.inputs if isinstance(node, Leaf)]
        arguments = self._family.problem.arguments
        wanted = dict.fromkeys([self._family.output, *(leaf.name for leaf in leaves)])
        fresh = [name for name in wanted if not any(p.argument == name for p in self._parameters)]
        chosen = wanted if names is not self._names else fresh
        declared = buffers((arguments[name] for name in chosen), names, read_only=False)
        known = {leaf.name: text for leaf, text in self._texts.items() if isinstance(leaf, Leaf)} | dict(
            declared.names
        )
        values: dict[Node, str] = {}
        for leaf in leaves:
            values[leaf] = known[leaf.name] + ("" if arguments[leaf.name].is_scalar else "[0]")
        parameters = list(declared.parameters)
        for node in finish.inputs:
            if not isinstance(node, Leaf | Reduce):
                values[node] = names.fresh("extent")
                parameters.append(extent(values[node], getattr(node, "text", "1")))
        return known[self._family.output], tuple(parameters), values

    def _finish(self) -> ElementFunction:
        given: dict[Node, Kind] = {term.reduction: term.kind for term in self._terms}
        dtype = self._family.problem.arguments[self._family.output].dtype
        return self._maker.make("final_value", self._family.value, given, dtype)

    def _store(self, target: str, values: Mapping[Node, str]) -> str:
        results = {**values, **{term.reduction: term.name for term in self._terms}}
        return _first_thread(f"{target}[0] = {self._finish().call(results)};\n")


def _first_thread(body: str) -> str:
    return f"if (threadIdx.x == 0) {{\n{indent(body)}}}\n"


def emit(family: FullReduction, options: FullReductionOptions) -> str:
    """Write the kernel file."""
    return _FullReductionEmission(family, options).text()
