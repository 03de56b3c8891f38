"""Kernels for row programs: softmax, norms, sums of rows and the like."""

from __future__ import annotations

from agent.composer.expressions import storage
from agent.composer.families import RowReduction, place
from agent.composer.functions import texts
from agent.composer.gathering import block_by_shuffles, block_by_tree, warp_function
from agent.composer.ir import Leaf, Node
from agent.composer.kernel_text import PACK, accumulate, file_text, identity, indent, kernel, launch, tune
from agent.composer.row_options import RowOptions, features, mapping, repeated
from agent.composer.row_program import Pass, RowProgram
from agent.composer.shapes import product
from sandbox.dtypes import DTYPE_BYTES

__all__ = ["RowOptions", "emit", "features"]

_CACHE_BYTES = 32768
_CACHE_ITEMS = 32


def emit(family: RowReduction, options: RowOptions) -> str:
    """Write the kernel file."""
    return _RowEmission(family, options).text()


class _RowEmission:
    def __init__(self, family: RowReduction, options: RowOptions) -> None:
        self._family = family
        self._options = options
        self._program = RowProgram(family, read_only=options.read_only_cache)
        self._mapping = mapping(options)
        self._kept: tuple[Leaf, ...] = (
            repeated(family) if options.register_blocking or options.shared_memory_tiling else ()
        )
        self._index, self._bound = ("chunk", "chunks") if options.vectorized_loads else ("c", "cols")

    def text(self) -> str:
        program, options = self._program, self._options
        functions = [made.function for step in program.passes for made in (*step.running, *step.stored)]
        parameters = program.parameter_list()
        code = [
            PACK if options.vectorized_loads else "",
            texts(functions),
            *self._gathering(),
            kernel("row_program", parameters, self._body(), threads="BLOCK"),
        ]
        shared = f", {self._shared_bytes()}" if options.shared_memory_tiling else ""
        directives = [*self._tuning(), launch("row_program", f"{self._grid()}, BLOCK{shared}", parameters)]
        who = {"1": "a thread", "32": "a warp", "BLOCK": "a block"}[self._mapping.lanes]
        headline = (
            f"A row program: reductions over each row, then what follows from them; {who} works on a row."
        )
        dtypes = [argument.dtype for argument in self._family.problem.arguments.values()]
        return file_text(headline, options.features, directives, dtypes, code)

    def _tuning(self) -> list[str]:
        options = self._options
        cols = self._cols()
        width = self._width()
        work = f"{cols} // WIDTH" if options.vectorized_loads else cols
        step = " // WIDTH" if options.vectorized_loads else ""
        lines = [tune("BLOCK", 256, (128, 256, 512), swept=options.block_size_tuning)]
        if options.vectorized_loads:
            lines.append(f"//@ define WIDTH = {width} if {cols} % {width} == 0 else 1")
        if options.register_blocking:
            most = f"{_CACHE_ITEMS} // WIDTH" if options.vectorized_loads else str(_CACHE_ITEMS)
            lines.append(f"//@ define ITEMS = min(ceil_div({work}, {self._mapping.lanes}), {most})")
            # Loops that a size never enters take half the time that compiling it takes.
            lines.append(f"//@ define REST = 1 if ceil_div({work}, {self._mapping.lanes}) > ITEMS else 0")
        if options.shared_memory_tiling:
            lines.append(f"//@ define CACHED = {_CACHE_BYTES // self._item_bytes()}{step}")
        if options.loop_unrolling:
            lines.append(tune("UNROLL", 4, (2, 4), swept=not options.block_size_tuning))
        if options.grid_stride_loop:
            lines.append(tune("GRID", 1056, (528, 1056), swept=not options.block_size_tuning))
        return lines

    def _cols(self) -> str:
        cols = self._family.space[-1]
        return cols if cols.isidentifier() or cols.isdigit() else f"({cols})"

    def _grid(self) -> str:
        rows = product(self._family.space[:-1])
        blocks = rows if self._mapping.rows == "1" else f"ceil_div({rows}, {self._mapping.rows.strip('()')})"
        return f"min({blocks}, GRID)" if self._options.grid_stride_loop else blocks

    def _item_bytes(self) -> int:
        """Bytes of shared memory for one column."""
        return sum(DTYPE_BYTES[self._dtype(leaf)] for leaf in self._kept)

    def _shared_bytes(self) -> str:
        cols = self._cols()
        if self._options.vectorized_loads:
            return f"min({cols} // WIDTH, CACHED) * WIDTH * {self._item_bytes()}"
        return f"min({cols}, CACHED) * {self._item_bytes()}"

    def _dtype(self, leaf: Leaf) -> str:
        return self._family.problem.arguments[leaf.name].dtype

    def _width(self) -> int:
        names = {leaf.name for step in self._program.passes for leaf in step.leaves}
        names |= {name for name, _ in self._family.outputs}
        return 16 // max(DTYPE_BYTES[self._family.problem.arguments[name].dtype] for name in names)

    def _gathering(self) -> list[str]:
        used = dict.fromkeys((done.op, done.kind) for step in self._program.passes for done in step.running)
        types = self._program.types
        if self._mapping.lanes == "1":
            return []
        if self._mapping.lanes == "32":
            return [warp_function(op, kind, types, f"reduce_{op}") for op, kind in used]
        block = block_by_shuffles if self._options.warp_shuffle_reduction else block_by_tree
        return [block(op, kind, types) for op, kind in used]

    def _body(self) -> str:
        lines: list[str] = []
        if self._mapping.lanes != "1":
            lines.append(f"const int lane = {self._mapping.lane};")
        if self._options.shared_memory_tiling:
            lines.append(f"extern __shared__ {self._element(self._kept[0])} row_cache[];")
        if self._options.vectorized_loads:
            lines.append("const int chunks = cols / WIDTH;")
        if self._options.shared_memory_tiling:
            lines.append(
                f"const int cached = min({self._bound}, CACHED);  // what shared memory holds of a row"
            )
        head = "\n".join(lines) + ("\n" if lines else "")
        row = self._row()
        if self._options.grid_stride_loop:
            step = "gridDim.x" if self._mapping.rows == "1" else f"gridDim.x * {_c(self._mapping.rows)}"
            loop = f"for (int row = {self._mapping.first}; row < rows; row += {step}) {{\n{indent(row)}}}\n"
            return head + loop
        guard = "" if self._mapping.rows == "1" else "if (row >= rows) {\n    return;\n}\n"
        return f"{head}const int row = {self._mapping.first};\n{guard}{row}"

    def _row(self) -> str:
        """Everything that happens to one row."""
        program = self._program
        text = "".join(f"{line}\n" for line in self._pointers()) + self._fill()
        for step in program.passes:
            text += "".join(f"{line}\n" for line in step.prepare)
            for done in step.running:
                start = identity(done.op, done.kind, program.types)
                text += f"{program.types.name(done.kind)} {done.name} = {start};\n"
            text += self._walk(step)
            if self._mapping.lanes != "1":
                text += "".join(f"{done.name} = reduce_{done.op}({done.name});\n" for done in step.running)
        if program.results:
            results = "".join(f"{line}\n" for line in program.results)
            text += results if self._mapping.lanes == "1" else f"if (lane == 0) {{\n{indent(results)}}}\n"
        return text

    def _pointers(self) -> list[str]:
        program, arguments = self._program, self._family.problem.arguments
        full = {leaf.name for leaf in program.leaves if self._is_full(leaf)}
        written = {name for name, _ in self._family.outputs}
        lines: list[str] = []
        for name in [n for n in program.buffer if n in full | written]:
            const = "" if name in written else "const "
            ctype = storage(arguments[name].dtype)
            c_name = program.buffer[name]
            lines.append(
                f"{const}{ctype}* {self._pointer(name)} = {c_name} + static_cast<size_t>(row) * cols;"
            )
        return lines

    def _pointer(self, name: str) -> str:
        return f"{self._program.buffer[name]}_row"

    def _is_full(self, leaf: Leaf) -> bool:
        return place(leaf, self._family.space).kind == "full"

    def _element(self, leaf: Leaf) -> str:
        ctype = storage(self._dtype(leaf))
        return f"Pack<{ctype}>" if self._options.vectorized_loads else ctype

    def _load(self, leaf: Leaf) -> str:
        """One element, or one pack of them, from global memory."""
        pointer = self._pointer(leaf.name) if self._is_full(leaf) else self._program.buffer[leaf.name]
        if self._options.vectorized_loads:
            return f"reinterpret_cast<const {self._element(leaf)}*>({pointer})[chunk]"
        return f"{pointer}[c]"

    def _cache(self, leaf: Leaf) -> str:
        return f"{self._program.buffer[leaf.name]}_cache"

    def _slot(self, leaf: Leaf) -> str:
        position = self._kept.index(leaf)
        offset = "" if position == 0 else "cached + " if position == 1 else f"{position} * cached + "
        return f"row_cache[{offset}{self._index}]"

    def _fill(self) -> str:
        """Bring the row into registers or shared memory, as far as it fits."""
        if self._options.register_blocking:
            arrays = "".join(f"{self._element(leaf)} {self._cache(leaf)}[ITEMS];\n" for leaf in self._kept)
            loads = "".join(f"{self._cache(leaf)}[item] = {self._load(leaf)};\n" for leaf in self._kept)
            return arrays + self._over_items(loads)
        if self._options.shared_memory_tiling:
            i = self._index
            loads = "".join(f"{self._slot(leaf)} = {self._load(leaf)};\n" for leaf in self._kept)
            return f"for (int {i} = lane; {i} < cached; {i} += BLOCK) {{\n{indent(loads)}}}\n"
        return ""

    def _over_items(self, body: str) -> str:
        i, lanes = self._index, self._mapping.lanes
        inside = f"const int {i} = lane + item * {lanes};\nif ({i} < {self._bound}) {{\n{indent(body)}}}\n"
        return f"#pragma unroll\nfor (int item = 0; item < ITEMS; ++item) {{\n{indent(inside)}}}\n"

    def _walk(self, step: Pass) -> str:
        """Loop over the row's elements once."""
        i, lanes = self._index, self._mapping.lanes
        unroll = "#pragma unroll UNROLL\n" if self._options.loop_unrolling else ""
        in_registers = self._options.register_blocking and any(leaf in self._kept for leaf in step.leaves)
        body = self._element_body(step, {leaf: self._source(leaf) for leaf in step.leaves})
        first = "0" if lanes == "1" else "lane"
        advance = f"++{i}" if lanes == "1" else f"{i} += {lanes}"
        if not in_registers:
            return f"{unroll}for (int {i} = {first}; {i} < {self._bound}; {advance}) {{\n{indent(body)}}}\n"
        held = {
            leaf: f"{self._cache(leaf)}[item]" if leaf in self._kept else self._load(leaf)
            for leaf in step.leaves
        }
        text = self._over_items(self._element_body(step, held))
        beyond = f"for (int {i} = lane + ITEMS * {lanes}; {i} < {self._bound}; {advance}) {{"
        rest = f"{unroll}{beyond}\n{indent(body)}}}\n"
        return f"{text}if constexpr (REST != 0) {{  // what the registers do not hold\n{indent(rest)}}}\n"

    def _source(self, leaf: Leaf) -> str:
        if self._options.shared_memory_tiling and leaf in self._kept:
            return f"{self._index} < cached ? {self._slot(leaf)} : {self._load(leaf)}"
        return self._load(leaf)

    def _element_body(self, step: Pass, sources: dict[Leaf, str]) -> str:
        """What happens at one element, or at the elements of one pack."""
        program = self._program
        values: dict[Node, str] = dict(program.values)
        if not self._options.vectorized_loads:
            text = "".join(
                f"const {self._element(x)} {values[x]} = {source};\n" for x, source in sources.items()
            )
            return text + self._statements(step, values, "{pointer}[c]")
        text = "".join(f"const {self._element(x)} {values[x]} = {source};\n" for x, source in sources.items())
        for out in step.stored:
            ctype = storage(self._family.problem.arguments[out.argument].dtype)
            text += f"Pack<{ctype}> {program.buffer[out.argument]}_result;\n"
        values.update({leaf: f"{values[leaf]}.lane[k]" for leaf in sources})
        inner = self._statements(step, values, "{name}_result.lane[k]")
        text += f"#pragma unroll\nfor (int k = 0; k < WIDTH; ++k) {{\n{indent(inner)}}}\n"
        for out in step.stored:
            ctype = storage(self._family.problem.arguments[out.argument].dtype)
            target = f"reinterpret_cast<Pack<{ctype}>*>({self._pointer(out.argument)})[chunk]"
            text += f"{target} = {program.buffer[out.argument]}_result;\n"
        return text

    def _statements(self, step: Pass, values: dict[Node, str], target: str) -> str:
        types = self._program.types
        text = ""
        for done in step.running:
            text += accumulate(done.op, done.kind, types, done.name, done.function.call(values))
        for out in step.stored:
            place_ = target.format(
                pointer=self._pointer(out.argument), name=self._program.buffer[out.argument]
            )
            text += f"{place_} = {out.function.call(values)};\n"
        return text


def _c(expression: str) -> str:
    return expression.replace("//", "/")
