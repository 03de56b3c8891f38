"""What a client reads of a task."""

from __future__ import annotations

from pathlib import Path

from tests.agent.search_fakes import write_task
from tools.mcp.reading import text_of
from tools.mcp.translation import describe_task
from tools.tasks.folder import load


def test_a_task_whose_reference_asks_pytorch_says_so(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "twice")
    assert "PyTorch" not in text_of(describe_task(load(folder)))
    reference = (
        "from torch_operators import aten\ndef reference(x, n):\n    return {'y': aten('sinc.default', x)}\n"
    )
    (folder / "reference.py").write_text(reference)
    told = text_of(describe_task(load(folder)))
    assert (
        "\n\nIts reference asks PyTorch's own operators, in float64, for sinc: wherever it is judged there"
        in told
    )
