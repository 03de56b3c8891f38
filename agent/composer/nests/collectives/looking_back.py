"""Long scans in one pass: a block scans a chunk in registers, publishes its total and waits for those before it.

Decoupled look-back (Merrill and Garland, 2016) with fixed groups: a chunk adds up the totals of its group that come
before it and the end of the group before, always in the same order: two runs agree bit by bit. State and value
share one 64-bit word, which one access publishes. Words outlive a launch, and so no launch clears them: the state is
the number of the launch, which a block is told with its ticket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.composer.expressions import Kind, Types, Value
from agent.composer.kernel_text import combine, identity, indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.scanning import scan_of, scanned
from agent.composer.nests.neighbours import packed_access, width_macro
from agent.composer.nests.points import At, kind_of, parts, placed
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import PackedTexts, Texts

_GROUP = 256
_ROOM = (256, 4096, 65536)
"""Words that there are, as far as they do: the same code serves many sizes."""

_WAVES = 264
"""Blocks between which a scan is divided before a thread takes more than one pack."""


@dataclass(frozen=True)
class LookBack:
    """A scan in chunks.

    Attributes:
        along: The axis of the scan.
        rows: The other axes.
        width: Neighbours in one access, where they are aligned.
        aligned: What the width must divide.
    """

    stage: FilledBuffer
    along: Axis
    rows: tuple[Axis, ...]
    width: int
    aligned: frozenset[Size]

    @property
    def state(self) -> str:
        """Name of the words: the states of chunks, and the ends of groups."""
        return f"{self.stage.name}_state"

    @property
    def chunks(self) -> str:
        """How many chunks a row has, as an expression of kernel files."""
        return f"ceil_div({self.along.extent.expression()}, CHUNK)"

    @property
    def _rows(self) -> str:
        return f"({combinations(self.rows).expression()})"

    @property
    def grid(self) -> str:
        """One block a chunk."""
        return self.named(f"{self._rows} * {self.chunks}")

    def variables(self) -> str:
        """Declare the words, and how many launches have taken all their tickets, and this one some, in one word."""
        return self.named(
            f"__device__ unsigned long long {self.state}[WORDS];\n"
            f"__device__ unsigned long long {self.stage.name}_tickets;\n\n"
        )

    def named(self, text: str) -> str:
        """The text with macros of this scan's own."""
        return re.sub(r"\b(LANES|PACKS|CHUNK|WORDS)\b", rf"SCAN_\1_{self.stage.name.upper()}", text)

    def directives(self) -> tuple[str, ...]:
        """Sizes of the chunks, and how many words they have."""
        share = f"{self._rows} * ({self.along.extent.expression()}) // (BLOCK * LANES * {_WAVES})"
        words = f"{self.grid} + {self._rows} * ceil_div({self.chunks}, {_GROUP})"
        steps = " else ".join(f"{room} if {words} <= {room}" for room in _ROOM)
        lines = (
            width_macro("LANES", self.width, self.aligned),
            f"//@ define PACKS = min(8, max(1, {share}))",
            "//@ define CHUNK = BLOCK * LANES * PACKS",
            f"//@ define WORDS = {steps} else next_pow2({words})",
        )
        return tuple(map(self.named, lines))


def looked_back(stage: FilledBuffer, types: Types, shapes: Mapping[str, tuple[Size, ...]]) -> LookBack | None:
    """How a stage is scanned in one pass; None where it is no scan, or its elements do not fit a word."""
    along, found = scanned(stage), scan_of(stage)
    if along is None or found is None or found[0] is not None or stage.place is not None:
        return None
    kind = kind_of(found[1])
    if types.name(kind) not in ("float", "int"):
        return None
    rows = tuple(axis for axis in stage.axes if axis != along)
    here = placed(found[1].body, {found[1].axes[0]: Size.of(along)})
    reads = [at for at in parts(here) if isinstance(at, At) and not at.guards]
    width, aligned = 4, set[Size]()
    for at in [*reads, At(stage.name, stage.target, stage.kind)]:
        access = packed_access(at.indices, shapes[at.buffer], along, width)
        aligned |= access.aligned if access else set()
    return LookBack(stage, along, rows, width, frozenset(aligned))


def functions(stage: FilledBuffer, types: Types) -> list[str]:
    """Device functions: a scan over a warp, and words that hold a value once it is there."""
    found = scan_of(stage)
    assert found is not None, "it is a scan"
    op, kind = found[1].op, kind_of(found[1])
    ctype = types.name(kind)
    to_bits = "__float_as_uint(value)" if kind is Kind.REAL else "static_cast<unsigned int>(value)"
    bits = "static_cast<unsigned int>(word)"
    of_bits = f"__uint_as_float({bits})" if kind is Kind.REAL else f"static_cast<int>({bits})"
    return [
        f"""\
// Every lane gets its own value combined with those of all lanes before it.
__device__ __forceinline__ {ctype} scan_warp_{op}({ctype} value) {{
    #pragma unroll
    for (int offset = 1; offset < 32; offset *= 2) {{
        const {ctype} before = __shfl_up_sync(0xffffffff, value, offset);
        if (threadIdx.x % 32 >= offset) {{
            value = {combine(op, kind, types, "before", "value")};
        }}
    }}
    return value;
}}
""",
        f"""\
// The upper half of a word says for which launch the lower half holds a value.
__device__ __forceinline__ void publish(unsigned long long* place, unsigned int launch, {ctype} value) {{
    const unsigned long long word = static_cast<unsigned long long>(launch) << 32 | {to_bits};
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" :: "l"(place), "l"(word) : "memory");
}}
""",
        f"""\
__device__ __forceinline__ {ctype} awaited_{ctype}(const unsigned long long* place, unsigned int launch) {{
    unsigned long long word;
    do {{
        asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(word) : "l"(place) : "memory");
    }} while (word >> 32 != launch);
    return {of_bits};
}}
""",
    ]


Both = Callable[[str, str], str]
"""Writes how two values are combined."""


def body(found: LookBack, texts: Texts, decoded: Callable[[str, tuple[Axis, ...]], str]) -> str:
    """Write the kernel's body; `decoded` takes a flat index apart."""
    scan = scan_of(found.stage)
    assert scan is not None, "it is a scan"
    op, kind, types = scan[1].op, kind_of(scan[1]), texts.types
    ctype, neutral = types.name(kind), identity(op, kind, types)

    def both(left: str, right: str) -> str:
        return combine(op, kind, types, left, right)

    return (
        _ticket(found, texts, ctype, decoded)
        + _loads(found, texts, ctype, neutral)
        + _sums(op, ctype, neutral, both)
        + _waiting(op, ctype, neutral, found.state, both)
        + f"const {ctype} start = {both('before', 'warps[threadIdx.x / 32]')};\n"
        + _stores(found, texts, kind, both)
    )


def _ticket(
    found: LookBack, texts: Texts, ctype: str, decoded: Callable[[str, tuple[Axis, ...]], str]
) -> str:
    """Take a chunk, in the order in which blocks begin: then all chunks before it have begun."""
    rows = texts.size(combinations(found.rows))
    following = f"atomicAdd(&{found.stage.name}_tickets, (1ull << 32) - gridDim.x);\n"
    return (
        f"__shared__ {ctype} warps[BLOCK / 32];\n__shared__ {ctype} before;\n__shared__ int ticket;\n"
        "__shared__ unsigned int launch;\n"
        f"const int chunks = ({texts.size(found.along.extent)} - 1) / CHUNK + 1;\n"
        f"const int groups = (chunks - 1) / {_GROUP} + 1;\n"
        f"unsigned long long* const ends = {found.state} + ({rows}) * chunks;\n"
        "if (threadIdx.x == 0) {\n"
        f"    const unsigned long long taken = atomicAdd(&{found.stage.name}_tickets, 1ull);\n"
        "    ticket = static_cast<int>(taken);\n    launch = static_cast<unsigned int>(taken >> 32) + 1;\n"
        f"    if (ticket == gridDim.x - 1) {{\n{indent(indent(following))}    }}\n}}\n"
        "__syncthreads();\nconst int row = ticket / chunks;\nconst int chunk = ticket % chunks;\n"
        f"const int lane = threadIdx.x % 32;\n{decoded('row', found.rows)}"
        "const int first = chunk * CHUNK + threadIdx.x / 32 * (32 * LANES * PACKS) + lane * LANES;\n"
    )


def _sums(op: str, ctype: str, neutral: str, both: Both) -> str:
    """Scan what a warp holds, and hand its total on."""
    inside = (
        "#pragma unroll\nfor (int r = 1; r < LANES; ++r) {\n"
        f"    values[v][r] = {both('values[v][r - 1]', 'values[v][r]')};\n}}\n"
        f"const {ctype} up_to = scan_warp_{op}(values[v][LANES - 1]);\n"
        f"const {ctype} prior = __shfl_up_sync(0xffffffff, up_to, 1);\n"
        f"const {ctype} offset = lane ? {both('carry', 'prior')} : carry;\n"
        "#pragma unroll\nfor (int r = 0; r < LANES; ++r) {\n"
        f"    values[v][r] = {both('offset', 'values[v][r]')};\n}}\n"
        f"carry = {both('carry', '__shfl_sync(0xffffffff, up_to, 31)')};\n"
    )
    handed_on = "if (lane == 31) {\n    warps[threadIdx.x / 32] = carry;\n}\n__syncthreads();\n"
    return f"{ctype} carry = {neutral};\n{_for_each_pack(inside)}{handed_on}"


def _for_each_pack(text: str) -> str:
    return f"#pragma unroll\nfor (int v = 0; v < PACKS; ++v) {{\n{indent(text)}}}\n"


def _waiting(op: str, ctype: str, neutral: str, state: str, both: Both) -> str:
    """By the first warp: totals of warps become offsets, the chunk's is published, and what comes before is found."""
    inside = (
        f"const {ctype} up_to = scan_warp_{op}(lane < BLOCK / 32 ? warps[lane] : {neutral});\n"
        f"const {ctype} prior = __shfl_up_sync(0xffffffff, up_to, 1);\n"
        f"const {ctype} total = __shfl_sync(0xffffffff, up_to, 31);\n"
        f"unsigned long long* totals = {state} + row * chunks;\n"
        "if (lane == 0) {\n    publish(totals + chunk, launch, total);\n}\n"
        f"if (lane < BLOCK / 32) {{\n    warps[lane] = lane ? prior : {neutral};\n}}\n"
        f"const int group = chunk / {_GROUP}, place = chunk % {_GROUP};\n"
        f"{ctype} earlier = {neutral};\n"
        f"for (int i = lane; i < place; i += 32) {{\n"
        f"    earlier = {both('earlier', f'awaited_{ctype}(totals + group * {_GROUP} + i, launch)')};\n}}\n"
        "#pragma unroll\nfor (int offset = 16; offset > 0; offset /= 2) {\n"
        f"    earlier = {both('earlier', '__shfl_xor_sync(0xffffffff, earlier, offset)')};\n}}\n"
        "if (lane == 0) {\n"
        "    unsigned long long* end = ends + row * groups + group;\n"
        f"    if (group > 0) {{\n        earlier = {both(f'awaited_{ctype}(end - 1, launch)', 'earlier')};\n    }}\n"
        f"    if (place == {_GROUP} - 1) {{\n        publish(end, launch, {both('earlier', 'total')});\n    }}\n"
        "    before = earlier;\n}\n"
    )
    return f"if (threadIdx.x < 32) {{\n{indent(inside)}}}\n__syncthreads();\n"


def _loads(found: LookBack, texts: Texts, ctype: str, neutral: str) -> str:
    """Bring a thread's elements into registers; what lies beyond the end changes nothing."""
    scan = scan_of(found.stage)
    assert scan is not None, "it is a scan"
    value, kind = placed(scan[1].body, {scan[1].axes[0]: Size.of(found.along)}), kind_of(scan[1])
    name, extent = texts.axis(found.along), texts.size(found.along.extent)

    def elements() -> str:
        lines = texts.lines(value)
        cast = texts.cast(lines.values[0], kind).text
        return "".join(f"{line}\n" for line in lines.lines) + f"values[v][r] = {cast};\n"

    each = "#pragma unroll\nfor (int r = 0; r < LANES; ++r) {{\n{}}}\n".format
    texts.rename(found.along, f"({name} + r)")
    guarded = f"values[v][r] = {neutral};\nif ({name} + r < {extent}) {{\n{indent(elements())}}}\n"
    texts.known.clear()
    texts.packed = PackedTexts(found.along, name, "LANES", found.width)
    packed = elements()
    loads, held = texts.pack_loads()
    texts.forget(held)
    inside = (
        f"const int {name} = first + v * (32 * LANES);\n"
        f"if ({name} + LANES <= {extent}) {{\n{indent(loads + each(indent(packed)))}}} else {{\n"
        f"{indent(each(indent(guarded)))}}}\n"
    )
    return f"{ctype} values[PACKS][LANES];\n{_for_each_pack(inside)}"


def _stores(found: LookBack, texts: Texts, kind: Kind, both: Both) -> str:
    """Store a thread's elements on top of what comes before them."""
    stage, extent = found.stage, texts.size(found.along.extent)
    assert texts.packed is not None, "loads came first"
    name, buffer = texts.packed.first, texts.buffer(stage.name)
    result = texts.stored(stage.name, Value(both("start", "values[v][r]"), kind))
    place, access = (
        texts.place(stage.name, stage.target),
        texts.packed_access(stage.name, stage.target),
    )
    alone = f"if ({name} + r < {extent}) {{\n    {buffer}[{place}] = {result};\n}}\n"
    each = "#pragma unroll\nfor (int r = 0; r < LANES; ++r) {{\n{}}}\n".format
    text = each(indent(alone))
    if access is not None:
        pack, base = (
            texts.pack_type(stage.name),
            texts.pack_place(stage.name, stage.target, access.step),
        )
        packed = (
            f"{pack} together;\n{each(indent(f'together.lane[r] = {result};'))}"
            f"*reinterpret_cast<{pack}*>({buffer} + {base}) = together;\n"
        )
        text = f"if ({name} + LANES <= {extent}) {{\n{indent(packed)}}} else {{\n{indent(text)}}}\n"
    return _for_each_pack(f"const int {name} = first + v * (32 * LANES);\n{text}")
