"""A profile in words for a model: what bounds the kernel, by how much, at which lines, and what the sweep showed."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.device import Bottleneck, Hotspot, LaunchProfile, Metric
from sandbox.verdict import Provenance, Verdict
from tools.reports import (
    CheckReport,
    ProfileReport,
    ShapeTiming,
    SweptSetting,
    breakdown_text,
    confidence_text,
    what_if_text,
)

_HOTSPOTS = 5
_SETTINGS = 24
_LINE = 160
_OCCUPANCY = (
    "launch__grid_size",
    "launch__block_size",
    "launch__registers_per_thread",
    "launch__shared_mem_per_block",
    "launch__waves_per_multiprocessor",
    "sm__maximum_warps_per_active_cycle_pct",
)
_GLOBAL = (
    "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_",
    "smsp__sass_average_data_bytes_per_sector_mem_global_op_",
)
_REQUESTS = ("l1tex__t_requests_", "l1tex__t_sector_pipe_lsu")
_SHARED = ("l1tex__data_pipe_lsu_wavefronts_mem_shared.sum", "l1tex__data_bank_conflicts_pipe_lsu_mem_shared")
_LIMITS = ("launch__occupancy_limit_", "warpwright__wave_tail", "warpwright__barriers")
_INSTRUCTIONS = (
    "smsp__inst_executed.sum",
    "smsp__thread_inst_executed_per_inst_executed",
    "smsp__sass_average_branch",
    "smsp__inst_executed_pipe_",
)
_TELLING: Mapping[Bottleneck, tuple[str, ...]] = {
    Bottleneck.DRAM: ("dram__", "lts__t_sector_hit_rate", *_GLOBAL),
    Bottleneck.L2: ("lts__", "l1tex__t_sector_pipe_lsu_mem_global_op_ld_hit_rate", *_GLOBAL),
    Bottleneck.L1: (*_GLOBAL, *_REQUESTS, "smsp__inst_executed_op_local", *_SHARED),
    Bottleneck.SHARED_MEMORY: (*_SHARED, "smsp__inst_executed_op_shared_"),
    Bottleneck.FMA: _INSTRUCTIONS,
    Bottleneck.ALU: _INSTRUCTIONS,
    Bottleneck.FP64: _INSTRUCTIONS,
    Bottleneck.FP16: _INSTRUCTIONS,
    Bottleneck.XU: _INSTRUCTIONS,
    Bottleneck.ISSUE: _INSTRUCTIONS,
    Bottleneck.TENSOR: ("sm__", "smsp__inst_executed_pipe_tensor", *_SHARED),
    Bottleneck.ATOMICS: ("warpwright__atomics", *_REQUESTS, "smsp__inst_executed_op_shared_atom"),
    Bottleneck.LATENCY: (
        *_LIMITS,
        "smsp__inst_executed.sum",
        "l1tex__t_sector_pipe_lsu",
        "lts__t_sector_hit_rate",
    ),
}
"""What tells most of a kernel bound by a resource, by the start of metrics' names."""


def timing(latency_us: float, provenance: Provenance) -> str:
    """Return a latency with where it comes from."""
    return f"{latency_us:.4g} us ({provenance})"


def profile_lines(profile: ProfileReport | None) -> list[str]:
    """Return what a profile says; empty where nothing was timed."""
    if profile is None or profile.latency_us is None:
        return []
    gain = "" if profile.speedup is None else f", {profile.speedup:.3g}x the baseline's speed"
    lines = [f"Latency {timing(profile.latency_us, profile.provenance)}{gain}."]
    if profile.bottleneck:
        lines.append(f"Bottleneck: {profile.bottleneck}.")
    if profile.roofline_fraction is not None:
        least = profile.roofline_fraction * profile.latency_us
        lines.append(
            f"The roofline is {least:.4g} us: {profile.roofline_fraction:.0%} of it is reached, and at most"
            f" {profile.latency_us - least:.4g} us can be gained."
        )
    if profile.error is not None:
        said = confidence_text(profile.error, profile.bottleneck)
        lines.append(f"Such estimates err by {said}; a smaller difference is no difference.")
    for shape in profile.shapes[-1:]:
        lines += _shape_lines(shape)
    return lines


def sweep_lines(report: CheckReport, tune: Mapping[str, int]) -> list[str]:
    """Return what became of each setting of a sweep, the fastest first; else the setting that was judged."""
    if not report.settings:
        chosen = ", ".join(f"{name} = {value}" for name, value in sorted(tune.items()))
        return [f"Judged with {chosen}."] if chosen and report.verdict is Verdict.PASS else []
    ranked = sorted(report.settings, key=lambda one: (one.verdict is not Verdict.PASS, one.latency_us or 0.0))
    lines = [
        f"  {_setting(one)}{' (chosen)' if one.tune == dict(tune) else ''}" for one in ranked[:_SETTINGS]
    ]
    left = len(ranked) - len(lines)
    return ["The sweep:", *lines, *([f"  ({left} slower ones left out)"] if left > 0 else [])]


def telling(launch: LaunchProfile) -> list[Metric]:
    """Return the metrics that matter for what bounds a launch, in the profile's order; all where nobody knows."""
    starts = _TELLING.get(launch.bottleneck)
    if starts is None:
        return list(launch.metrics)
    return [one for one in launch.metrics if one.name in _OCCUPANCY or one.name.startswith(starts)]


def _setting(one: SweptSetting) -> str:
    values = ", ".join(f"{name}={value}" for name, value in sorted(one.tune.items()))
    if one.verdict is not Verdict.PASS or one.latency_us is None:
        return f"{values}: {one.verdict}: {_bounded(one.message)}"
    registers = "" if one.registers is None else f", {one.registers} registers"
    spilled = f", {one.spilled} bytes spilled" if one.spilled else ""
    return f"{values}: {one.latency_us:.4g} us{registers}{spilled}"


def _shape_lines(shape: ShapeTiming) -> list[str]:
    dims = ", ".join(f"{name} = {value}" for name, value in shape.dims.items())
    lines = [f"At {dims}: {timing(shape.latency_us, shape.provenance)}."]
    if shape.timing is not None:
        found = shape.timing
        lines.append(
            f"  {found.speedup:.3g} times as fast as the baseline (95% interval {found.speedup_low:.3g} to"
            f" {found.speedup_high:.3g}, {found.pairs} pairs); an empty kernel takes {found.empty_us:.3g} us."
        )
    for launch in shape.launches:
        lines += _launch_lines(launch, alone=len(shape.launches) == 1)
    return lines


def _launch_lines(launch: LaunchProfile, *, alone: bool) -> list[str]:
    """A launch that is the whole plan has its time and its bottleneck said already."""
    name = f"  {launch.kernel} (line {launch.line})"
    lines = [
        name
        if alone
        else f"{name}: {timing(launch.latency_us, launch.provenance)}, bound by {launch.bottleneck},"
        f" {launch.roofline_fraction:.2f} of its roofline"
    ]
    if launch.breakdown is not None:
        lines.append(f"    needs, in us: {breakdown_text(launch.breakdown)}")
        if gains := what_if_text(launch.breakdown):
            lines.append(f"    if only this changed: {gains}")
    lines += [f"    {one.name} = {one.value:.6g} {one.unit} ({one.provenance})" for one in telling(launch)]
    return lines + [f"    {_hot(one)}" for one in launch.hotspots[:_HOTSPOTS] if one.line is not None]


def _hot(one: Hotspot) -> str:
    text = f": {_bounded(one.text)}" if one.text else ""
    return f"line {one.line}: {one.value:.4g} {one.what}, {one.share:.0%} of the launch's{text}"


def _bounded(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE else f"{line[:_LINE]} [...]"
