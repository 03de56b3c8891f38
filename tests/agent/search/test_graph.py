from __future__ import annotations

from pathlib import Path

from agent.search.graph import build

GOLDEN = Path(__file__).parent / "golden" / "graph.mermaid"


def test_the_graph_has_the_committed_topology():
    assert build().compile().get_graph().draw_mermaid() == GOLDEN.read_text()
