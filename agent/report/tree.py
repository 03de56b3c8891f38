"""The search tree: who built on whom, as nested candidates and as a Vega specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from agent.report.account import CandidateAccount, RunAccount
from agent.report.figures import microseconds
from agent.report.visible import shortened, visible
from sandbox.verdict import Verdict

LARGEST = 120
"""Candidates of a tree that is drawn whole; of a larger one, the winning path and what grew next to it."""
ROOT = "0/0"
"""The place of the baseline."""
_GENERATION = 285
_STEM = 112
"""Pixels of a link before it forks, where its node's name stands."""
_ROW = 24
_FEATURE = 12
_SHOWN = 26
_LINES = 2


def grown(account: RunAccount) -> tuple[CandidateAccount, ...]:
    """Return the candidates that the tree shows: all, or the winning path and what its kernels led to directly."""
    if len(account.candidates) <= LARGEST:
        return account.candidates
    winning = {one.place for one in account.candidates if one.winning}
    near = [one for one in account.candidates if one.place in winning or set(one.parents[:1]) & winning]
    ranked = sorted(
        near, key=lambda one: (not one.winning, one.latency.value if one.latency else float("inf"))
    )
    kept = {one.place for one in ranked[:LARGEST]}
    return tuple(one for one in account.candidates if one.place in kept)


def children(candidates: Sequence[CandidateAccount]) -> Mapping[str, list[CandidateAccount]]:
    """Return candidates by the place of their first parent; those without one, or whose is not shown, by the root."""
    places = {one.place for one in candidates}
    found: dict[str, list[CandidateAccount]] = {}
    for one in candidates:
        parent = next(iter(one.parents), ROOT)
        found.setdefault(parent if parent in places else ROOT, []).append(one)
    return found


def tree(account: RunAccount) -> dict[str, Any] | None:
    """Return the tree from left to right: features on the edges, the winning path in its colour."""
    shown = grown(account)
    if not shown:
        return None
    below = children(shown)
    nodes = [_root(account), *(_node(one, parent) for parent, ones in below.items() for one in ones)]
    leaves = sum(one.place not in below for one in shown)
    row = _ROW + _FEATURE * max(len(_edge(one)) for one in shown)
    width, height = _GENERATION * _depth(below), max(60, row * leaves)
    return {
        "width": width + _STEM + 40,
        "height": height,
        "padding": 8,
        "background": None,
        "config": {"aria": False},
        "data": [
            {
                "name": "nodes",
                "values": nodes,
                "transform": [
                    {"type": "stratify", "key": "id", "parentKey": "parent"},
                    {
                        "type": "tree",
                        "method": "tidy",
                        "size": [height, width],
                        "as": ["y", "x", "depth", "below"],
                    },
                ],
            },
            {
                "name": "links",
                "source": "nodes",
                "transform": [{"type": "treelinks"}, {"type": "formula", "as": "path", "expr": _PATH}],
            },
        ],
        "marks": _MARKS,
    }


_PATH = (
    f"'M' + datum.source.x + ',' + datum.source.y + 'H' + (datum.source.x + {_STEM})"
    " + 'V' + datum.target.y + 'H' + datum.target.x"
)
_FONT = {"value": "system-ui, sans-serif"}
_MARKS: list[dict[str, Any]] = [
    {
        "type": "path",
        "from": {"data": "links"},
        "encode": {
            "enter": {
                "path": {"field": "path"},
                "stroke": [
                    {"test": "datum.target.winning", "value": "var(--best)"},
                    {"value": "var(--quiet)"},
                ],
                "strokeWidth": [{"test": "datum.target.winning", "value": 3}, {"value": 1}],
                "strokeDash": [{"test": "datum.target.fresh", "value": [4, 4]}, {"value": []}],
            }
        },
    },
    {
        "type": "symbol",
        "from": {"data": "nodes"},
        "encode": {
            "enter": {
                "x": {"field": "x"},
                "y": {"field": "y"},
                "size": {"value": 80},
                "fill": {"field": "colour"},
                "stroke": {"value": "var(--page)"},
            }
        },
    },
    {
        "type": "text",
        "from": {"data": "nodes"},
        "encode": {
            "enter": {
                "x": {"field": "x", "offset": 8},
                "y": {"field": "y", "offset": -5},
                "text": {"field": "label"},
                "font": _FONT,
                "fontSize": {"value": 12},
                "fontWeight": [{"test": "datum.winning", "value": "bold"}, {"value": "normal"}],
                "fill": {"value": "var(--ink)"},
            }
        },
    },
    {
        "type": "text",
        "from": {"data": "nodes"},
        "encode": {
            "enter": {
                "x": {"field": "x", "offset": -10},
                "y": {"field": "y", "offset": {"field": "rise"}},
                "align": {"value": "right"},
                "text": {"field": "edge"},
                "lineHeight": {"value": _FEATURE},
                "font": _FONT,
                "fontSize": {"value": 10.5},
                "fill": {"value": "var(--quiet)"},
            }
        },
    },
]


def _root(account: RunAccount) -> dict[str, Any]:
    latency = None if account.baseline is None else account.baseline.latency
    said = "" if latency is None else f" {microseconds(latency.value)}"
    won = any(one.winning for one in account.candidates)
    return {
        "id": ROOT,
        "parent": None,
        "label": f"baseline{said}",
        "edge": [],
        "rise": 0,
        "winning": won,
        "fresh": False,
        "colour": "var(--baseline)",
    }


def _node(one: CandidateAccount, parent: str) -> dict[str, Any]:
    said = microseconds(one.latency.value) if one.latency else str(one.verdict or "at work").replace("_", " ")
    edge = _edge(one)
    return {
        "id": one.place,
        "parent": parent,
        "label": f"{one.place}: {said}",
        "edge": edge,
        "rise": -4 - _FEATURE * max(0, len(edge) - 1),
        "winning": one.winning,
        "fresh": not one.parents,
        "colour": _colour(one),
    }


def _edge(one: CandidateAccount) -> list[str]:
    """Return the lines beside the edge that leads to a candidate: what it tried, and from where."""
    moved = (*one.features, *(f"\u2212{name}" for name in one.without))
    wrapped = (wrap(visible(name), _SHOWN, break_long_words=False)[:_LINES] for name in moved or one.tried)
    edge = [shortened(line, _SHOWN) for lines in wrapped for line in lines]
    if not one.parents:
        edge = [*edge, "(fresh start)"]
    if len(one.parents) > 1:
        edge = [*edge, f"(merged with {one.parents[1]})"]
    return edge


def _colour(one: CandidateAccount) -> str:
    if one.winning:
        return "var(--best)"
    if one.verdict is None:
        return "var(--quiet)"
    return "var(--good)" if one.verdict is Verdict.PASS else "var(--bad)"


def _depth(below: Mapping[str, Sequence[CandidateAccount]]) -> int:
    deepest, level = 0, [ROOT]
    while level := [one.place for place in level for one in below.get(place, ())]:
        deepest += 1
    return deepest
