"""Numbers as people read them: with unit, and the word that says where they come from."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.verdict import Provenance


def microseconds(value: float) -> str:
    """Return a latency with three or four digits that mean something."""
    digits = 2 if value < 10 else 1 if value < 1000 else 0
    return f"{value:,.{digits}f}"


def latency(value: float | None, provenance: Provenance) -> str:
    """Return a latency with its unit and the word that says where it comes from."""
    return "no latency" if value is None else f"{microseconds(value)} us ({provenance})"


def speedup(value: float | None) -> str:
    """Return a ratio of latencies, or nothing."""
    return "" if value is None else f"{value:.2f}x"


def pairs(values: Mapping[str, object]) -> str:
    """Return dims or tunables as people write them: `rows=7 cols=33`."""
    return " ".join(f"{name}={value}" for name, value in values.items())


def named(place: str) -> str:
    """Return a candidate's place as people say it."""
    return "the baseline" if place == "0/0" else place


def amount(value: float, unit: str) -> str:
    """Return a figure of a report with its unit, without the word for where it comes from."""
    match unit:
        case "us":
            return f"{microseconds(value)} us"
        case "x":
            return speedup(value)
        case "of roofline":
            return f"{value:.0%} of its roofline"
        case _:
            return f"{value:.4g} {unit}"
