"""Elements in order: warps sort in registers, blocks merge in shared memory, and the grid merges runs of blocks.

Within a warp a bitonic network by shuffles, its first step of each size mirrored, so that all compare in one
direction (Batcher 1968). Runs are merged by the merge path (Green, McColl and Bader 2012): each thread looks up where
its part of the result begins in both. Runs of blocks are merged in turns of one cooperative launch: n log n in all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from agent.composer.expressions import Kind, Types, Value
from agent.composer.kernel_text import identity, indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import Ordered, kind_of
from agent.composer.nests.sizes import Axis, combinations
from agent.composer.nests.texts import Texts

_BLOCKS = 80
"""Blocks of a cooperative launch: of 256 threads, the smallest GPU that is simulated holds so many at once."""

Decoded = Callable[[str, tuple[Axis, ...]], str]
"""Writes an index over some axes as one for each."""
Stored = Callable[[FilledBuffer, Value], str]
"""Writes the statement that stores a value as a buffer's element."""


@dataclass(frozen=True)
class ElementOrder:
    """A stage whose elements are those along an axis in order, or where those stood."""

    stage: FilledBuffer
    fold: Ordered

    @property
    def along(self) -> Axis:
        """The axis whose elements are put in order."""
        return self.fold.axes[0]

    @property
    def rank(self) -> Axis:
        """The stage's axis that counts them in that order; it may end earlier."""
        return self.stage.axes[-1 - self.fold.behind]

    @property
    def rows(self) -> tuple[Axis, ...]:
        """The stage's other axes."""
        return tuple(axis for axis in self.stage.axes if axis != self.rank)

    @property
    def row_count(self) -> str:
        """How many rows there are, as an expression of kernel files."""
        return f"({combinations(self.rows).expression()})"

    @property
    def extent(self) -> str:
        """How many elements a row has, as an expression of kernel files."""
        return f"({self.along.extent.expression()})"

    @property
    def item(self) -> str:
        """The C type of what is moved: a key, and where it stood if that is asked for."""
        return f"Item_{self.stage.name}"

    @property
    def is_whole(self) -> bool:
        """Whether all elements are wanted."""
        return self.rank.extent == self.along.extent

    @cached_property
    def runs(self) -> str:
        """Name of the buffer for what is not in order as a whole yet."""
        return f"{self.stage.name}_runs"

    def words(self, types: Types) -> tuple[str, int]:
        """The dtype of that buffer, and how many elements an item takes."""
        key = types.name(kind_of(self.fold.body))
        wide = key in ("double", "long long")
        if self.fold.indices:
            return "uint64", 2 if wide else 1
        return ("uint64" if wide else "int32"), 1

    def bytes(self, types: Types) -> int:
        """Of an item."""
        dtype, count = self.words(types)
        return (8 if dtype == "uint64" else 4) * count

    def named(self, text: str) -> str:
        """The text with macros of this order's own."""
        return re.sub(
            r"\b(ITEMS|MANY|BLOCKS|TOP|PARTS|LISTS)\b", rf"ORDER_\1_{self.stage.name.upper()}", text
        )

    def element(self, texts: Texts, place: str) -> str:
        """Statements that bring the item `item` from a place along the axis."""
        texts.rename(self.along, place)
        lines = texts.lines(self.fold.body)
        key = texts.cast(lines.values[0], kind_of(self.fold.body)).text
        texts.known.clear()
        stood = f", {place}" if self.fold.indices else ""
        return "".join(f"{line}\n" for line in lines.lines) + f"item = {{{key}{stood}}};\n"

    def last(self, types: Types) -> str:
        """An item that comes after all others."""
        ascending = self.fold.op == "ascending"
        key = identity("min" if ascending else "max", kind_of(self.fold.body), types)
        stood = f", {'0x7fffffff' if ascending else '-1'}" if self.fold.indices else ""
        return f"{self.item}{{{key}{stood}}}"

    def result(self, item: str) -> Value:
        """What of an item is stored."""
        if self.fold.indices:
            return Value(f"{item}.place", Kind.INTEGER)
        return Value(f"{item}.key", kind_of(self.fold.body))


def order_of(stage: FilledBuffer) -> ElementOrder | None:
    """The order that a stage is in; None where it is in none."""
    return ElementOrder(stage, stage.value) if isinstance(stage.value, Ordered) else None


def functions(order: ElementOrder, types: Types) -> list[str]:
    """Device functions: the item and its order, and the networks of warps, which all orders share."""
    key, item = types.name(kind_of(order.fold.body)), order.item
    earlier, later = ("a", "b") if order.fold.op == "ascending" else ("b", "a")
    place = "    int place;\n" if order.fold.indices else ""
    met = f"{earlier}.key < {later}.key"
    if order.fold.indices:
        met += f" || {earlier}.key == {later}.key && {earlier}.place < {later}.place"
    moved = "__shfl_xor_sync(0xffffffff, item.{0}, mask)".format
    both = f"{moved('key')}, {moved('place')}" if order.fold.indices else moved("key")
    # All blocks wait for each other only where chunks are merged, and that header takes long to compile.
    waits = order.named("#if MANY\n#include <cooperative_groups.h>\n#endif\n")
    return [
        *([waits] if order.is_whole else []),
        f"""\
struct alignas({min(16, order.bytes(types))}) {item} {{
    {key} key;
{place}}};

__device__ __forceinline__ bool before(const {item}& a, const {item}& b) {{
    return {met};
}}

__device__ __forceinline__ {item} shuffled(const {item}& item, int mask) {{
    return {{{both}}};
}}
""",
        _NETWORK,
        *([_MERGES] if order.is_whole else []),
    ]


_NETWORK = """\
// A step of a bitonic network over the items of a warp, the item at lane * E + j in v[j]: partners are STRIDE apart,
// or mirror images in 2 * STRIDE.
template <int STRIDE, bool MIRROR, typename Item, int E>
__device__ __forceinline__ void network_step(Item (&v)[E], int lane) {
    if constexpr (STRIDE < E) {
        #pragma unroll
        for (int j = 0; j < E; ++j) {
            const int other = MIRROR ? j ^ (2 * STRIDE - 1) : j ^ STRIDE;
            if (other > j) {
                const Item first = v[j], second = v[other];
                const bool swapped = before(second, first);
                v[j] = swapped ? second : first;
                v[other] = swapped ? first : second;
            }
        }
    } else {
        const bool low = (lane & (STRIDE / E)) == 0;
        Item w[E];
        #pragma unroll
        for (int j = 0; j < E; ++j) {
            w[j] = shuffled(v[MIRROR ? E - 1 - j : j], MIRROR ? 2 * STRIDE / E - 1 : STRIDE / E);
        }
        #pragma unroll
        for (int j = 0; j < E; ++j) {
            v[j] = before(w[j], v[j]) == low ? w[j] : v[j];
        }
    }
}

// Puts bitonic sequences of 2 * STRIDE items in order.
template <int STRIDE, typename Item, int E>
__device__ __forceinline__ void merge_bitonic(Item (&v)[E], int lane) {
    if constexpr (STRIDE > 0) {
        network_step<STRIDE, false>(v, lane);
        merge_bitonic<STRIDE / 2>(v, lane);
    }
}

// Puts each SIZE items of a warp in order.
template <int SIZE, typename Item, int E>
__device__ __forceinline__ void sort_warp(Item (&v)[E], int lane) {
    if constexpr (SIZE > 1) {
        sort_warp<SIZE / 2>(v, lane);
        network_step<SIZE / 2, true>(v, lane);
        merge_bitonic<SIZE / 4>(v, lane);
    }
}
"""

_MERGES = """\
// How many of the first `count` items of two runs in order, taken together, are of the first run.
template <typename Item>
__device__ __forceinline__ int merge_split(const Item* a, int a_count, const Item* b, int b_count, int count) {
    int low = max(0, count - b_count), high = min(count, a_count);
    while (low < high) {
        const int middle = (low + high) / 2;
        if (before(b[count - 1 - middle], a[middle])) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

// The same by all lanes of a warp, which look at 32 places at once.
template <typename Item>
__device__ __forceinline__ int merge_split_by_warp(
    const Item* a, int a_count, const Item* b, int b_count, int count) {
    int low = max(0, count - b_count), high = min(count, a_count);
    while (low < high) {
        const int step = (high - low) / 32 + 1, at = low + static_cast<int>(threadIdx.x % 32) * step;
        const bool taken = at < high && !before(b[count - 1 - at], a[at]);
        const int found = __popc(__ballot_sync(0xffffffff, taken));
        high = min(high, low + found * step);
        low = found ? low + (found - 1) * step + 1 : low;
    }
    return low;
}

// The next E items of two runs, the first `count` of which went before.
template <typename Item, int E>
__device__ __forceinline__ void merge_items(
    Item (&v)[E], const Item* a, int a_count, const Item* b, int b_count, int count) {
    int i = merge_split(a, a_count, b, b_count, min(count, a_count + b_count)), k = count - i;
    #pragma unroll
    for (int j = 0; j < E; ++j) {
        const bool second = i >= a_count || k < b_count && before(b[k], a[i]);
        if (i < a_count || k < b_count) {
            v[j] = second ? b[k] : a[i];
        }
        i += second ? 0 : 1;
        k += second ? 1 : 0;
    }
}
"""


def directives(order: ElementOrder, types: Types) -> tuple[str, ...]:
    """How many items a thread takes, whether one block does not hold all, and memory for runs."""
    dtype, words = order.words(types)
    lines = (
        f"//@ define ITEMS = min(8, next_pow2(ceil_div({order.extent}, BLOCK)))",
        f"//@ define MANY = 1 if {order.extent} > BLOCK * ITEMS else 0",
        f"//@ define BLOCKS = {_BLOCKS} * 256 // BLOCK",
        f"//@ scratch {order.runs}: {dtype}[2 * {order.row_count} * {order.extent} * {words} * MANY + 1]",
    )
    return tuple(map(order.named, lines))


def grid(order: ElementOrder) -> str:
    """Blocks: one for each chunk, as far as all are there at once."""
    return order.named(f"min({order.row_count} * ceil_div({order.extent}, BLOCK * ITEMS), BLOCKS)")


def body(order: ElementOrder, texts: Texts, decoded: Decoded, stored: Stored) -> str:
    """Write the kernel's body."""
    count, rows = texts.size(order.along.extent), texts.size(combinations(order.rows))
    item, runs = order.item, texts.buffer(order.runs)
    head = (
        f"__shared__ {item} items[BLOCK * ITEMS];\nconst int count = {count}, chunk = BLOCK * ITEMS;\n"
        f"const int chunks = (count - 1) / chunk + 1, tiles = ({rows}) * chunks;\n"
        "const int lane = threadIdx.x % 32, own = threadIdx.x * ITEMS;\n"
        f"{item}* from = reinterpret_cast<{item}*>({runs});\n"
        f"#if MANY\n{item}* to = from + ({rows}) * count;\n#endif\n"
    )
    tile = (
        f"const int row = tile / chunks, first = tile % chunks * chunk, size = min(chunk, count - first);\n"
        f"{decoded('row', order.rows)}"
    )
    outcome = _outcome(order, texts, stored)
    chunked = _for_tiles(tile + _chunk_in_order(order, texts) + _left(outcome, "from", "MANY == 0"))
    turns = (
        "const bool is_last = run >= count - run;\ncooperative_groups::this_grid().sync();\n"
        + _for_tiles(tile + _merged_chunk(order) + _left(outcome, "to", "is_last"))
        + f"{item}* const other = from;\nfrom = to;\nto = other;\n"
    )
    rounds = f"#if MANY\nfor (int run = chunk; run < count; run += run) {{\n{indent(turns)}"
    # Twice the largest run is no int any more: that turn is the last one.
    rounds += "    if (is_last) {\n        break;\n    }\n}\n#endif\n"
    return order.named(head + chunked + rounds)


def _for_tiles(text: str) -> str:
    return f"for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {{\n{indent(text)}}}\n"


def _chunk_in_order(order: ElementOrder, texts: Texts) -> str:
    """A chunk, in order in shared memory."""
    load = (
        f"const int place = first + threadIdx.x / 32 * (32 * ITEMS) + j * 32 + lane;\n{order.item} item = "
        f"{order.last(texts.types)};\nif (place < count) {{\n{indent(order.element(texts, 'place'))}}}\n"
        "held[j] = item;\n"
    )
    merges = (
        "__syncthreads();\nconst int pair = own / (2 * run) * (2 * run);\n"
        "merge_items(held, items + pair, run, items + pair + run, run, own - pair);\n__syncthreads();\n"
        f"{_each('items[own + j] = held[j];')}"
    )
    return (
        f"{order.item} held[ITEMS];\n{_each(load)}sort_warp<32 * ITEMS>(held, lane);\n"
        f"{_each('items[own + j] = held[j];')}"
        f"for (int run = 32 * ITEMS; run < BLOCK * ITEMS; run *= 2) {{\n{indent(merges)}}}\n"
        "__syncthreads();\n"
    )


def _merged_chunk(order: ElementOrder) -> str:
    """A chunk of two runs that are merged, in shared memory."""
    return (
        f"__shared__ int splits[2];\nconst int base = first / run / 2 * 2 * run;\n"
        f"const {order.item}* left_run = from + row * count + base;\n"
        "const int left_count = min(run, count - base), right_count = min(run, count - base - left_count);\n"
        "const int begin = first - base;\n"
        "if (threadIdx.x < 64) {\n"
        "    const int split = merge_split_by_warp(\n"
        "        left_run, left_count, left_run + left_count, right_count,\n"
        "        threadIdx.x < 32 ? begin : begin + size);\n"
        "    if (lane == 0) {\n        splits[threadIdx.x / 32] = split;\n    }\n}\n__syncthreads();\n"
        "const int left_first = splits[0], left_size = splits[1] - left_first, right_first = begin - left_first;\n"
        "for (int e = threadIdx.x; e < size; e += BLOCK) {\n"
        "    items[e] = left_run[e < left_size ? left_first + e : left_count + right_first + e - left_size];\n"
        "}\n__syncthreads();\n"
        f"{order.item} held[ITEMS];\n"
        "merge_items(held, items, left_size, items + left_size, size - left_size, min(own, size));\n"
        "__syncthreads();\n"
        f"{_each('items[own + j] = held[j];')}__syncthreads();\n"
    )


def _outcome(order: ElementOrder, texts: Texts, stored: Stored) -> str:
    """Store an item of a chunk for good."""
    name = texts.axis(order.rank)
    return f"const int {name} = first + e;\n" + stored(order.stage, order.result("items[e]"))


def _left(outcome: str, buffer: str, last: str) -> str:
    """Leave a chunk that is in order: as a run, or as the result."""
    run = f"{buffer}[row * count + first + e] = items[e];\n"
    text = f"if ({last}) {{\n{indent(outcome)}}} else {{\n{indent(run)}}}\n"
    return f"for (int e = threadIdx.x; e < size; e += BLOCK) {{\n{indent(text)}}}\n__syncthreads();\n"


def _each(text: str) -> str:
    return f"#pragma unroll\nfor (int j = 0; j < ITEMS; ++j) {{\n{indent(text)}}}\n"
