"""Whether kernels got slower than when their results were kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.cli.judging.many import Judged


def read_share(text: str) -> float:
    """Read `5%` or `0.05`.

    Raises:
        UsageError: It is neither, or not positive.
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 100:
        raise UsageError(f"--slower-than: expected a share as 5% or 0.05, found {text!r}")
    return value


def read_results(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return the results that `check --json` printed of several kernels, by kernel and device.

    Raises:
        UsageError: The file holds something else.
    """
    try:
        kept: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--against: {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--against: {path} is no JSON: {error}") from None
    try:
        return {
            _key(one["kernel"], one["report"]["device"]): _timed(one)
            for one in kept["results"]
            if one["report"]
        }
    except (TypeError, KeyError, ValueError):
        raise UsageError(
            f"--against: {path} holds no results: `warpwright check FOLDER --json` prints them"
        ) from None


def _timed(one: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a result whose latency is a number, or none; raise ValueError or TypeError of anything else."""
    old = one.get("latency_us")
    return {**one, "latency_us": None if old is None else float(old)}


def compared(judged: Sequence[Judged], before: Mapping[str, Mapping[str, Any]], share: float) -> list[Judged]:
    """Say of each kernel whether it got slower by more than a share of before.

    Two estimates that differ by less than their error say nothing; numbers of two kinds, or of two devices, are never
    compared.
    """
    return [replace(one, slower=_slower(one, before, share)) for one in judged]


def _slower(one: Judged, before: Mapping[str, Mapping[str, Any]], share: float) -> str:
    from tools.preference import too_close

    profile = None if one.report is None else one.report.profile
    if one.report is None or profile is None or one.latency_us is None:
        return ""
    known = before.get(_key(one.kernel.as_posix(), one.report.device), {})
    old = known.get("latency_us")
    if not old or known.get("provenance") != profile.provenance:
        return ""
    ratio = one.latency_us / float(old)
    if ratio <= 1 + share or too_close(profile, ratio):
        return ""
    return (
        f"{one.latency_us:.4g} us {profile.provenance}, {ratio - 1:.0%} slower than before ({float(old):.4g} us):"
        f" at most {share:.0%} was allowed"
    )


def _key(kernel: str, device: str) -> str:
    return f"{kernel} on {device}"
