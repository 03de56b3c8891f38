"""What the simulator knows of and does not run: each is refused by name and line, never run wrongly.

The decoder refuses whatever the catalogue lacks; this list is for docs/ptx.md, and a test holds it true.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refused:
    """One instruction that is refused: `example` is a statement of it, `section` its place in PTX ISA 9.0."""

    name: str
    section: str
    example: str
    reason: str


_TEXTURE = "textures and surfaces"
_TENSOR = "tensor maps (TMA)"

REFUSED = (
    Refused("wgmma", "9.7.15", "wgmma.fence.sync.aligned", "matrix multiply by warpgroup"),
    Refused("tcgen05", "9.7.16", "tcgen05.wait::ld.sync.aligned", "tensor memory, not on sm_75 to sm_90"),
    Refused(
        "cp.reduce.async.bulk",
        "9.7.9.25.4.2",
        "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%rd0], [%rd1], 16",
        "bulk reductions",
    ),
    Refused(
        "cp.async.bulk.tensor",
        "9.7.9.25.5",
        "cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
        "[%rd0], [%rd1, {%r0}], [%rd0]",
        _TENSOR,
    ),
    Refused("tensormap", "9.7.9.26", "tensormap.replace.tile.rank.global.b1024.b32 [%rd0], 1", _TENSOR),
    Refused(
        "multimem",
        "9.7.9.14",
        "multimem.red.relaxed.gpu.global.add.u32 [%rd0], %r0",
        "memory of several GPUs",
    ),
    Refused("discard", "9.7.9.17", "discard.global.L2 [%rd0], 128", "leaves indeterminate values behind"),
    Refused("st.bulk", "9.7.9.13", "st.bulk.weak.shared::cta [%rd0], 16, 0", "not on sm_75 to sm_90"),
    Refused(
        "clusterlaunchcontrol",
        "9.7.13.17",
        "clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.b128 [%rd0], [%rd0]",
        "not on sm_75 to sm_90",
    ),
    Refused("tex", "9.7.10.3", "tex.1d.v4.f32.s32 {%r0, %r0, %r0, %r0}, [%rd0, {%r0}]", _TEXTURE),
    Refused("tld4", "9.7.10.4", "tld4.r.2d.v4.f32.f32 {%r0, %r0, %r0, %r0}, [%rd0, {%r0, %r0}]", _TEXTURE),
    Refused("txq", "9.7.10.5", "txq.width.b32 %r0, [%rd0]", _TEXTURE),
    Refused("suld", "9.7.11.1", "suld.b.1d.b32.trap %r0, [%rd0, {%r0}]", _TEXTURE),
    Refused("sust", "9.7.11.2", "sust.b.1d.b32.trap [%rd0, {%r0}], %r0", _TEXTURE),
    Refused("sured", "9.7.11.3", "sured.b.add.1d.u32.trap [%rd0, {%r0}], %r0", _TEXTURE),
    Refused("suq", "9.7.11.4", "suq.width.b32 %r0, [%rd0]", _TEXTURE),
    Refused("atom.b128", "9.7.13.5", "atom.global.exch.b128 %rd0, [%rd0], %rd1", "128-bit words"),
    Refused("vadd", "9.7.18.1", "vadd.s32.u32.s32.sat %r0, %r0, %r0", "scalar video instructions"),
    Refused("brkpt", "9.7.19.1", "brkpt", "no debugger"),
)
