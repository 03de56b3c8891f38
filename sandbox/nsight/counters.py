"""What Nsight Compute is asked for, and reading what it prints (`--csv --page raw`).

Source: Nsight Compute 2025.3 documentation, "Nsight Compute CLI": options, and "Metrics Reference": names.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.device import Metric
from sandbox.nsight.limits import MEASURES
from sandbox.simulator.metrics.table import ROWS
from sandbox.verdict import Provenance

_OWN = "warpwright__"
_COSTLY = ("sm__ops_path_", "sm__inst_executed_pipe_tensor_op_")

UNITS: dict[str, str] = {row.name: row.unit for row in ROWS if not row.name.startswith(_OWN)}
"""The simulator's metrics that Nsight Compute has too, and the units in which both are given."""

FLOPS = tuple(
    f"smsp__sass_thread_inst_executed_op_{operation}_pred_on.sum"
    for operation in ("fadd", "fmul", "ffma", "dadd", "dmul", "dfma", "hadd", "hmul", "hfma")
)
"""Executed floating-point operations by thread; a fused one does two, a half2 one two of those."""

SMALL: tuple[str, ...] = tuple(
    dict.fromkeys([*(name for name in UNITS if not name.startswith(_COSTLY)), *MEASURES, *FLOPS])
)
"""The default set: what the simulator counts as well, and what says which limit a kernel runs into."""

_FACTORS = {
    ("us", "ns"): 1e-3, ("us", "nsecond"): 1e-3, ("us", "us"): 1.0, ("us", "usecond"): 1.0,
    ("us", "ms"): 1e3, ("us", "msecond"): 1e3, ("us", "s"): 1e6, ("us", "second"): 1e6,
    ("byte", "byte"): 1.0, ("byte", "Kbyte"): 1e3, ("byte", "Mbyte"): 1e6, ("byte", "Gbyte"): 1e9,
}  # fmt: skip
_LONG = "Metric Name"
_KERNEL = "Kernel Name"
_OF_LONG = {"ID", _KERNEL, "Metric Value"}
_BLAME = re.compile(r"^==ERROR== (?P<text>.*)$", re.MULTILINE)

COUNTERS_FORBIDDEN = (
    "the driver lets only administrators read performance counters (ERR_NVGPUCTRPERM). To allow it, as root: "
    "write the line `options nvidia NVreg_RestrictProfilingToAdminUsers=0` to /etc/modprobe.d/nvidia-profiling.conf, "
    "run `update-initramfs -u` (Debian, Ubuntu) or `dracut --regenerate-all -f` (Fedora, RHEL), and restart; or run "
    "warpwright as root; in a container, start it with `--cap-add=SYS_ADMIN`. On Windows and WSL: NVIDIA Control "
    "Panel, Developer, Manage GPU Performance Counters, allow all users"
)


@dataclass(frozen=True)
class NcuLaunch:
    """One launch as Nsight Compute saw it.

    Attributes:
        kernel: The symbol, or whatever the `--kernel-name-base` in use gives.
        values: By metric name, the number and the unit that was printed; what it could not measure is left out.
    """

    kernel: str
    values: Mapping[str, tuple[float, str]] = field(default_factory=dict[str, tuple[float, str]])


def command(
    program: Path, log: Path, symbols: Sequence[str], *, metrics: Sequence[str] = SMALL, full: bool = False
) -> list[str]:
    """Return the arguments in front of the program to profile.

    Clocks are left as they are; caches are flushed before each pass (the default), as the simulator assumes; only
    kernels of these symbols are profiled, in the program and in what it starts. The table goes to a file of its
    own, so that nothing that a kernel prints can pass for it.

    Args:
        program: Nsight Compute's `ncu`.
        log: The file for the table.
        symbols: Mangled names of the kernels.
        metrics: Which to measure.
        full: Every section that there is, as well.
    """
    names = "|".join(re.escape(symbol) for symbol in sorted(set(symbols)))
    return [
        str(program), "--csv", "--page", "raw", "--print-units", "base",
        "--clock-control", "none", "--cache-control", "all", "--target-processes", "all",
        "--kernel-name-base", "mangled", "--kernel-name", f"regex:^({names})$",
        *(("--set", "full") if full else ()), "--metrics", ",".join(metrics), "--log-file", str(log),
    ]  # fmt: skip


def read(text: str) -> list[NcuLaunch]:
    """Read the table, one row a launch (`--page raw`) or one row a metric (older versions and other pages).

    Lines around it (`==PROF==`, what the program printed) are skipped; thousands separators are understood.
    """
    table = [line for line in text.splitlines() if line.startswith('"')]
    start = next((index for index, line in enumerate(table) if f'"{_KERNEL}"' in line), None)
    if start is None:
        return []
    try:
        rows = list(csv.reader(table[start:]))
    except csv.Error:  # a quote that is never closed, or a field without end
        return []
    header = rows[0]
    if _KERNEL not in header or (_LONG in header and not set(header) >= _OF_LONG):
        return []
    whole = [row for row in rows[1:] if len(row) == len(header) and row != header]
    return _long(header, whole) if _LONG in header else _wide(header, whole)


def _wide(header: list[str], rows: list[list[str]]) -> list[NcuLaunch]:
    if not rows:
        return []
    kernel, first = header.index(_KERNEL), _first_metric(header)
    units = rows[0] if not rows[0][kernel] else [""] * len(header)
    return [
        NcuLaunch(
            row[kernel],
            {
                name: (number, unit)
                for name, unit, value in zip(header[first:], units[first:], row[first:], strict=True)
                if (number := _number(value)) is not None
            },
        )
        for row in rows
        if row[kernel]
    ]


def _first_metric(header: list[str]) -> int:
    return next((index for index, name in enumerate(header) if "__" in name), len(header))


def _long(header: list[str], rows: list[list[str]]) -> list[NcuLaunch]:
    launches: dict[str, tuple[str, dict[str, tuple[float, str]]]] = {}
    for row in rows:
        fact = dict(zip(header, row, strict=True))
        _, values = launches.setdefault(fact["ID"], (fact[_KERNEL], {}))
        number = _number(fact["Metric Value"])
        if number is not None:
            values[fact[_LONG]] = (number, fact.get("Metric Unit", ""))
    return [NcuLaunch(kernel, values) for kernel, values in launches.values()]


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:  # "n/a", or a list of instances
        return None
    return value if math.isfinite(value) else None


def metrics(launch: NcuLaunch) -> tuple[Metric, ...]:
    """Return what was measured under the simulator's names and in its units, in the simulator's order first."""
    named = [name for name in UNITS if name in launch.values]
    named += sorted(set(launch.values) - set(UNITS))
    return tuple(_metric(name, *launch.values[name]) for name in named)


def _metric(name: str, value: float, unit: str) -> Metric:
    wanted = UNITS.get(name, unit)
    return Metric(name, value * _FACTORS.get((wanted, unit), 1.0), wanted, Provenance.MEASURED)


def unknown_metrics(text: str, asked: Sequence[str]) -> frozenset[str]:
    r"""Return which of the metrics that were asked for this version or this GPU does not have.

    Nsight Compute names them, whole or as the regular expression that it made of the part before the first dot
    (`Failed to find metric regex:^NAME\.(sum|min|...)$`), and then profiles nothing.
    """
    blamed = [found["text"] for found in _BLAME.finditer(text) if "metric" in found["text"].lower()]
    plain = "\n".join(blamed).replace("\\", "")
    words = set(re.findall(r"[\w.]+", plain))
    groups = set(re.findall(r"\^(\w+)\.?\(", plain))
    return frozenset(name for name in asked if name in words or name.partition(".")[0] in groups)


def refusal(text: str) -> str | None:
    """Return why nothing was profiled, and what to do about it; None where Nsight Compute names no error."""
    if "ERR_NVGPUCTRPERM" in text:
        return COUNTERS_FORBIDDEN
    if "Profiling failed because a driver resource was unavailable" in text:
        return (
            "another profiler holds the GPU's counters (DCGM, Nsight Systems, another ncu): `dcgmi profile --pause` "
            "frees them from DCGM"
        )
    found = _BLAME.search(text)
    return f"Nsight Compute failed: {found['text'][:300]}" if found else None
