"""The graph: planner -> approval -> coder of each candidate -> evaluation of each -> critic -> planner, or the end.

Coders run in one step and evaluations in the next, so the critic runs once, when every candidate is judged.
"""

from __future__ import annotations

from langgraph.graph import START, StateGraph

from agent.search.approval import approval
from agent.search.coder import coder
from agent.search.critic import critic
from agent.search.deps import Deps
from agent.search.evaluate import evaluate
from agent.search.planner import fan_out, planner
from agent.search.state import CoderTask, EvaluateTask, SearchState

MAX_CONCURRENCY = 8
_STEPS_A_ROUND = 5


def build() -> StateGraph[SearchState, Deps, SearchState, SearchState]:
    """Return the graph, to be compiled with a checkpointer."""
    graph = StateGraph(SearchState, context_schema=Deps)
    # LangGraph leaves a type parameter of add_node open, which strict type checking refuses.
    graph.add_node("planner", planner)  # pyright: ignore[reportUnknownMemberType]
    graph.add_node("approval", approval)  # pyright: ignore[reportUnknownMemberType]
    graph.add_node("coder", coder, input_schema=CoderTask)  # pyright: ignore[reportUnknownMemberType]
    graph.add_node("evaluate", evaluate, input_schema=EvaluateTask)  # pyright: ignore[reportUnknownMemberType]
    graph.add_node("critic", critic)  # pyright: ignore[reportUnknownMemberType]
    graph.add_edge(START, "planner")
    graph.add_edge("planner", "approval")
    graph.add_conditional_edges("approval", fan_out, ["coder"])
    graph.add_edge("evaluate", "critic")
    return graph


def steps(depth: int) -> int:
    """Return how many steps a search of that depth can take, as LangGraph counts them."""
    return depth * _STEPS_A_ROUND + 1
