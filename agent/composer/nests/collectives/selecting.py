"""The first elements of an order: warps keep lists of the best, blocks merge them, and the last one those of blocks.

A warp puts a tile in order in registers and merges its best with the list so far, unless none of the tile would be in
it. Two lists in order, one of them turned around, give the best of both by one comparison each, as a bitonic
sequence.
"""

from __future__ import annotations

from agent.composer.expressions import Types
from agent.composer.kernel_text import indent
from agent.composer.nests.collectives.sorting import Decoded, ElementOrder, Stored
from agent.composer.nests.texts import Texts

_LIST_BYTES = 1024
"""Largest list of a warp."""

_PARTS = 128
"""Blocks that share one row."""

_ROWS = 64
"""Rows from which on no row is shared."""

MOST = 128
"""Elements up to which the first of an order are selected, and not taken from all in order."""


def directives(order: ElementOrder, types: Types) -> tuple[str, ...]:
    """How long lists are, how many blocks share a row, and memory for their lists."""
    dtype, words = order.words(types)
    share = f"ceil_div({order.extent}, 4 * BLOCK)"
    lines = (
        f"//@ define TOP = max(32, next_pow2({order.rank.extent.expression()}))",
        f"//@ define LISTS = 1 if TOP * {order.bytes(types)} <= {_LIST_BYTES} else 0",
        f"//@ define PARTS = min({_PARTS}, {share}) if {order.row_count} < {_ROWS} else 1",
        f"//@ scratch {order.runs}: {dtype}[{order.row_count} * PARTS * TOP * {words}]",
    )
    return tuple(map(order.named, lines))


def grid(order: ElementOrder) -> str:
    """Blocks: those that share a row, for each."""
    return order.named(f"{order.row_count} * PARTS")


def counter(order: ElementOrder) -> str:
    """Declare how many blocks of each row have ended; the last one of a row sets it back."""
    return f"__device__ unsigned int {order.stage.name}_done[{_ROWS}];\n\n"


def functions(order: ElementOrder) -> list[str]:
    """The device function that merges lists; beside those of networks."""
    place = ", __ldcg(&place->place)" if order.fold.indices else ""
    return [
        f"""\
__device__ __forceinline__ {order.item} past_l1(const {order.item}* place) {{
    return {{__ldcg(&place->key){place}}};
}}

// Makes list `a` the first of both lists in order.
template <int TOP>
__device__ __forceinline__ void merge_lists({order.item}* a, const {order.item}* b, int lane) {{
    {order.item} w[TOP / 32];
    #pragma unroll
    for (int j = 0; j < TOP / 32; ++j) {{
        const {order.item} one = a[lane * (TOP / 32) + j], other = b[TOP - 1 - lane * (TOP / 32) - j];
        w[j] = before(other, one) ? other : one;
    }}
    merge_bitonic<TOP / 2>(w, lane);
    __syncwarp();
    #pragma unroll
    for (int j = 0; j < TOP / 32; ++j) {{
        a[lane * (TOP / 32) + j] = w[j];
    }}
    __syncwarp();
}}
"""
    ]


def body(order: ElementOrder, texts: Texts, decoded: Decoded, stored: Stored) -> str:
    """Write the kernel's body; lists too long for shared memory are ranks that are counted."""
    wanted, name = texts.size(order.rank.extent), texts.axis(order.rank)
    lists = texts.buffer(order.runs)
    head = (
        f"const int count = {texts.size(order.along.extent)};\n"
        f"const int part = blockIdx.x % PARTS;\n{decoded('blockIdx.x / PARTS', order.rows)}"
    )
    store = stored(order.stage, order.result(f"lists[0][{name}]"))
    ended = f"for (int {name} = threadIdx.x; {name} < {wanted}; {name} += BLOCK) {{\n{indent(store)}}}\n"
    text = (
        "const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;\n"
        f"__shared__ {order.item} lists[BLOCK / 32][TOP], more[BLOCK / 32][TOP];\n"
        f"{_own_list(order, texts, wanted)}{_TREE}"
        f"#if PARTS > 1\n{_last_part(order, order.last(texts.types), lists)}#endif\n"
        f"__syncthreads();\n{ended}"
    )
    counted = _counted(order, texts, stored, wanted)
    return order.named(f"{head}#if LISTS\n{text}#else\n{counted}#endif\n")


def _own_list(order: ElementOrder, texts: Texts, wanted: str) -> str:
    """Each warp goes through its tiles of a row; the first one is its list."""
    last = order.last(texts.types)
    load = (
        f"const int place = first + j * 32 + lane;\n{order.item} item = {last};\n"
        f"if (place < count) {{\n{indent(order.element(texts, 'place'))}}}\nheld[j] = item;\n"
        "useful |= before(item, list[wanted - 1]);\n"
    )
    kept = "if (lane * LANES + j < TOP) {\n    tile[lane * LANES + j] = held[j];\n}\n"
    keep = (
        "__syncwarp();\nsort_warp<32 * LANES>(held, lane);\n"
        f"{_each(kept)}"
        "__syncwarp();\nif (!is_first) {\n    merge_lists<TOP>(list, tile, lane);\n}\nis_first = false;\n"
    )
    loop = (
        f"{order.item} held[LANES];\nbool useful = is_first;\n{_each(load)}"
        f"{order.item}* tile = is_first ? list : more[warp];\n"
        f"if (__any_sync(0xffffffff, useful)) {{\n{indent(keep)}}}\n"
    )
    return (
        "constexpr int LANES = TOP <= 128 ? 4 : TOP / 32;\n"
        f"const int wanted = {wanted};\n{order.item}* list = lists[warp];\nbool is_first = true;\n"
        f"for (int j = lane; j < TOP; j += 32) {{\n    list[j] = {last};\n}}\n__syncwarp();\n"
        "for (int first = (part * (BLOCK / 32) + warp) * (32 * LANES); first < count; "
        f"first += PARTS * BLOCK * LANES) {{\n{indent(loop)}}}\n"
    )


_TREE = """\
#pragma unroll
for (int half = BLOCK / 64; half > 0; half /= 2) {
    __syncthreads();
    if (warp < half) {
        merge_lists<TOP>(list, lists[warp + half], lane);
    }
}
"""


def _last_part(order: ElementOrder, last: str, lists: str) -> str:
    """The block of a row that ends last merges the lists of all."""
    item = order.item
    gather = (
        "for (int other = warp; other < PARTS; other += BLOCK / 32) {\n"
        f"    {item}* tile = other == warp ? list : more[warp];\n"
        "    for (int j = lane; j < TOP; j += 32) {\n        tile[j] = past_l1(all + other * TOP + j);\n    }\n"
        "    __syncwarp();\n    if (other != warp) {\n        merge_lists<TOP>(list, tile, lane);\n    }\n}\n"
    )
    return (
        "__shared__ bool is_last;\n"
        f"{item}* all = reinterpret_cast<{item}*>({lists}) + (blockIdx.x - part) * TOP;\n"
        "for (int j = lane; warp == 0 && j < TOP; j += 32) {\n    all[part * TOP + j] = list[j];\n}\n"
        "__threadfence();\n__syncthreads();\nif (threadIdx.x == 0) {\n"
        f"    is_last = atomicInc(&{order.stage.name}_done[blockIdx.x / PARTS], PARTS - 1) == PARTS - 1;\n"
        "    __threadfence();\n}\n"
        "__syncthreads();\nif (!is_last) {\n    return;\n}\n"
        f"for (int j = lane; warp >= PARTS && j < TOP; j += 32) {{\n    list[j] = {last};\n}}\n"
        + gather
        + _TREE
    )


def _counted(order: ElementOrder, texts: Texts, stored: Stored, wanted: str) -> str:
    """Each element goes to its rank, if that is wanted."""
    name = texts.axis(order.rank)
    compare = f"{order.item} item;\n{order.element(texts, 'other')}"
    compare += f"{name} += before(item, mine) || other < place && !before(mine, item);\n"
    each = (
        f"{order.item} item;\n{order.element(texts, 'place')}const {order.item} mine = item;\nint {name} = 0;\n"
        f"for (int other = 0; other < count; ++other) {{\n{indent(compare)}}}\n"
        f"if ({name} < {wanted}) {{\n{indent(stored(order.stage, order.result('mine')))}}}\n"
    )
    first, step = "int place = part * BLOCK + threadIdx.x", "place += PARTS * BLOCK"
    return f"for ({first}; place < count; {step}) {{\n{indent(each)}}}\n"


def _each(text: str) -> str:
    return f"#pragma unroll\nfor (int j = 0; j < LANES; ++j) {{\n{indent(text)}}}\n"
