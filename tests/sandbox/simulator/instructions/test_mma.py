"""mma.sync in every shape and type, against NumPy and the formulas of PTX ISA 9.0, section 9.7.14.5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

RNG = np.random.default_rng(11)

BITS = {"f16": 16, "bf16": 16, "tf32": 32, "f32": 32, "f64": 64, "e4m3": 8, "e5m2": 8}
BITS |= {"s8": 8, "u8": 8, "s4": 4, "u4": 4, "b1": 1, "s32": 32}


@dataclass(frozen=True)
class Mma:
    """One mma.sync: its shape, the types of D, A, B and C, and what else its mnemonic holds."""

    m: int
    n: int
    k: int
    d: str
    a: str
    b: str
    extra: str = ""
    layout: str = "row.col"

    @property
    def mnemonic(self) -> str:
        head = f"mma.sync.aligned.m{self.m}n{self.n}k{self.k}.{self.layout}"
        tail = f".{self.d}.{self.a}.{self.b}.{self.d}"
        return head + (self.extra + tail if self.extra == ".satfinite" else tail + self.extra)


def variants() -> list[Mma]:
    floats = [Mma(16, 8, k, d, "f16", "f16") for k in (8, 16) for d in ("f16", "f32")]
    floats += [Mma(16, 8, k, "f32", "bf16", "bf16") for k in (8, 16)]
    floats += [Mma(16, 8, k, "f32", "tf32", "tf32") for k in (4, 8)]
    floats += [Mma(8, 8, 4, "f64", "f64", "f64")] + [Mma(16, 8, k, "f64", "f64", "f64") for k in (4, 8, 16)]
    floats += [Mma(16, 8, 32, "f32", "e4m3", "e5m2"), Mma(16, 8, 16, "f16", "e5m2", "e5m2")]
    floats += [
        Mma(8, 8, 4, d, "f16", "f16", "", la)
        for d in ("f16", "f32")
        for la in ("row.col", "col.row", "row.row")
    ]
    shapes = [(8, 8, 16), (16, 8, 16), (16, 8, 32)]
    ints = [Mma(*s, "s32", a, b) for s in shapes for a, b in (("s8", "s8"), ("u8", "s8"))]
    ints += [Mma(16, 8, 32, "s32", "u8", "u8", ".satfinite")]
    ints += [Mma(m, 8, k, "s32", "s4", "u4") for m, k in ((8, 32), (16, 32), (16, 64))]
    ints += [Mma(m, 8, k, "s32", "b1", "b1", ".xor.popc") for m, k in ((8, 128), (16, 128), (16, 256))]
    return [*floats, *ints, Mma(16, 8, 256, "s32", "b1", "b1", ".and.popc")]


def place_a(v: Mma, lane: int, i: int) -> tuple[int, int]:
    """Row and column of element i of A, as the figures of PTX ISA 9.7.14.5 number them."""
    per = max(1, 32 // BITS[v.a])
    group, inside = lane >> 2, lane % 4
    if v.m == 8 and v.a == "f16":
        row = lane % 4 + (4 if lane >= 16 else 0)
        return (row, i) if v.layout[:3] == "row" else (i % 4 + (4 if lane >= 16 else 0), lane % 4)
    second_row = v.m == 16 and i // per % 2 == 1
    further = i // (per * (2 if v.m == 16 else 1))
    return group + 8 * second_row, inside * per + i % per + 4 * per * further


def place_b(v: Mma, lane: int, i: int) -> tuple[int, int]:
    if v.m == 8 and v.a == "f16":
        column = lane % 4 + (4 if lane >= 16 else 0)
        return (lane % 4, i + (4 if lane >= 16 else 0)) if v.layout[4:] == "row" else (i, column)
    per = max(1, 32 // BITS[v.a])
    return lane % 4 * per + i % per + 4 * per * (i // per), lane >> 2


def place_c(v: Mma, lane: int, i: int) -> tuple[int, int]:
    if v.m == 8 and v.a == "f16":
        high = 4 if lane >= 16 else 0
        if v.d == "f16":
            return lane % 4 + high, i
        return (lane & 1) + (i & 2) + high, (i & 4) + (lane & 2) + (i & 1)
    return (lane >> 2) + 8 * (i // 2), lane % 4 * 2 + i % 2


def draw(kind: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Values that the type holds exactly; sums of their products are exact in f32 except for f64's."""
    if kind in {"f64", "f32"}:
        return RNG.integers(-64, 64, shape) / 8.0
    if kind in {"f16", "bf16", "tf32"}:
        return RNG.integers(-15, 16, shape) / 4.0
    if kind in {"e4m3", "e5m2"}:
        return RNG.choice(
            np.array([-3.0, -1.5, -1, -0.5, 0, 0.25, 1, 2, 3.5 if kind == "e4m3" else 4]), shape
        )
    low, high = {"s8": (-128, 128), "u8": (0, 256), "s4": (-8, 8), "u4": (0, 16), "b1": (0, 2)}.get(
        kind, (-999, 999)
    )
    return RNG.integers(low, high, shape).astype(np.float64)


def image(value: float, kind: str) -> int:
    """The bits of a value."""
    if kind in {"f16", "f32", "f64"}:
        dtype = {"f16": np.float16, "f32": np.float32, "f64": np.float64}[kind]
        return int.from_bytes(dtype(value).tobytes(), "little")
    if kind in {"bf16", "tf32"}:
        bits = int.from_bytes(np.float32(value).tobytes(), "little")
        return bits >> 16 if kind == "bf16" else bits | 0x1A5A  # what tf32 must ignore
    if kind in {"e4m3", "e5m2"}:
        half = int.from_bytes(np.float16(abs(value)).tobytes(), "little")
        sign = 0x80 if value < 0 else 0
        exponent, mantissa = half >> 10, half & 1023
        if kind == "e5m2":
            return sign | half >> 8
        return sign | ((exponent - 8) << 3 | mantissa >> 7 if half else 0)
    return int(value) & ((1 << BITS[kind]) - 1)


def pack(elements: list[int], kind: str) -> list[int]:
    bits = BITS[kind]
    per = max(1, 32 // bits)
    if bits == 64:
        return [part for e in elements for part in (e & 0xFFFFFFFF, e >> 32)]
    return [
        sum(e << bits * p for p, e in enumerate(elements[r : r + per])) for r in range(0, len(elements), per)
    ]


def matrices(v: Mma) -> int:
    return 4 if v.m == 8 and v.a == "f16" else 1


SIDES = {"a": place_a, "b": place_b, "c": place_c}
SLOTS = 16
"""32-bit registers a lane that the kernels keep for every operand."""


def registers(v: Mma, side: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the lanes hold, shape (32, SLOTS), of a fragment with values (matrices, rows, columns)."""
    kind, place = {"a": v.a, "b": v.b, "c": v.d}[side], SIDES[side]
    found = np.zeros((32, SLOTS), dtype=np.uint32)
    for lane in range(32):
        matrix = values[lane // 4 % 4 if matrices(v) == 4 else 0]
        words = pack([image(matrix[place(v, lane, i)], kind) for i in range(values.size // 32)], kind)
        found[lane, : len(words)] = words
    return found


def code(v: Mma) -> str:
    """Loads its fragments, does one mma, stores D."""
    texts, declarations, used = [], [], []
    for name, kind, size in (("a", v.a, v.m * v.k), ("b", v.b, v.k * v.n), ("c", v.d, v.m * v.n)):
        count = size * matrices(v) // 32 * min(BITS[kind], 32) // 32
        c_type, letter = ("double", "d") if kind == "f64" else ("unsigned", "r")
        declarations.append(f"const {c_type}* {name} = (const {c_type}*)(p{name} + at);")
        used.append([f'"{letter}"({name}[{r}])' for r in range(count)])
    declarations.append(f"{c_type}* d = ({c_type}*)(pd + at);")
    used.insert(0, [f'"={letter}"(d[{r}])' for r in range(count)])
    number = 0
    for group in used:
        texts.append("{" + ",".join(f"%{number + r}" for r in range(len(group))) + "}")
        number += len(group)
    sources = ", ".join(operand for group in used[1:] for operand in group)
    statement = f'asm volatile("{v.mnemonic} {", ".join(texts)};" : {", ".join(used[0])} : {sources});'
    return "{ " + " ".join(declarations) + statement + " }"


def expected(v: Mma, a: Any, b: Any, c: Any) -> Any:
    if v.a == "b1":
        same = a @ b
        total = same if "and" in v.extra else a.sum(-1, keepdims=True) + b.sum(-2, keepdims=True) - 2 * same
        return total + c
    return np.clip(a @ b + c, -(2**31), 2**31 - 1) if v.extra == ".satfinite" else a @ b + c


def test_mma_computes_every_shape_and_type_with_the_documented_fragments(cuda):
    everything = variants()
    cases = " ".join(f"case {number}: {code(v)} break;" for number, v in enumerate(everything))
    source = f"""extern "C" __global__ void k(const unsigned* pa, const unsigned* pb, const unsigned* pc, unsigned* pd) {{
      int at = (blockIdx.x * 32 + threadIdx.x) * {SLOTS}; switch (blockIdx.x) {{ {cases} }} }}"""
    given: dict[str, list[Any]] = {"pa": [], "pb": [], "pc": []}
    wanted = []
    for v in everything:
        number = matrices(v)
        a, b, c = (
            draw(kind, (number, *shape))
            for kind, shape in ((v.a, (v.m, v.k)), (v.b, (v.k, v.n)), (v.d, (v.m, v.n)))
        )
        c = c + (2**31 - 50_000) if v.extra == ".satfinite" else c
        for side, values in zip("abc", (a, b, c), strict=True):
            given[f"p{side}"].append(registers(v, side, values))
        wanted.append(registers(v, "c", expected(v, a, b, c)))
    arguments: dict[str, Any] = {name: np.stack(lists).reshape(-1) for name, lists in given.items()}
    arguments["io_d"] = np.zeros_like(arguments["pc"])
    result = cuda(source).run(len(everything), 32, arguments)
    assert result.fault is None, result.fault
    found = result.outputs["io_d"].reshape(-1, 32, SLOTS)
    wrong = [v.mnemonic for v, x, y in zip(everything, found, wanted, strict=True) if not (x == y).all()]
    assert wrong == []
