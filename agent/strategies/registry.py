"""Strategies by name, and which one `auto` stands for."""

from __future__ import annotations

from collections.abc import Mapping

from agent.results import SearchRequest
from agent.strategies.base import Strategy
from agent.strategies.elites import Elites
from agent.strategies.fsr import Fsr
from agent.strategies.targets import wanted
from agent.strategies.tree import Tree
from agent.strategy_names import StrategyName
from tools.tasks.task import Target, Task

_MANY, _DEEP = 48, 3
"""Candidates and rounds from which there are enough to fill an archive of niches."""
_KNOWN: Mapping[StrategyName, type[Fsr] | type[Elites] | type[Tree]] = {
    StrategyName.FSR: Fsr,
    StrategyName.ELITES: Elites,
    StrategyName.TREE: Tree,
}


def chosen_strategy(request: SearchRequest, task: Task) -> Strategy:
    """Return the strategy that a request names, or the one that fits it where it leaves that open.

    The same request for the same task always gets the same one, so that a resumed search goes on with it.
    """
    named = request.strategy
    return _KNOWN[_fitting(request, task) if named is StrategyName.AUTO else named]()


def _fitting(request: SearchRequest, task: Task) -> StrategyName:
    """Return what fits a budget: breadth pays where many candidates are to come and no target ends the search."""
    many = request.candidates * request.depth >= _MANY and request.depth >= _DEEP
    return StrategyName.ELITES if many and wanted(request, task) == Target() else StrategyName.TREE
