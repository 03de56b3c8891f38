"""docs/metrics.md from the rows of metrics: `python -m sandbox.simulator.documents.metric_table` writes it anew."""

from __future__ import annotations

from pathlib import Path

from sandbox.simulator.metrics.row import Row
from sandbox.simulator.metrics.table import GROUPS

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"

_HEAD = """# Metrics of a simulated profile

Written by `python -m sandbox.simulator.documents.metric_table` from the code; a test compares it.

Names and units are those of Nsight Compute ("Metrics Reference"); where it prints no unit, the unit here says what is
counted. Names that start with `warpwright__` are ours. A metric is left out where the launch did nothing of its kind.

- **counted**: exact for this launch.
- **counted, sampled**: exact where every block of the grid ran (at most 32 blocks, and 8,192 threads); of a larger
  grid, evenly spread pairs of neighbouring blocks run, sums are scaled to the grid, and the number is *estimated*.
- **estimated**: rests on the cost model, the cache model, or the weights that turn PTX into machine instructions
  ([cost-model.md](cost-model.md)).

What differs from Nsight: it counts machine instructions (SASS), this counts PTX. Spills, and what the assembler
predicates, merges or unrolls, are not seen. A wide shared access is counted by half or quarter warps even where all
lanes read the same word, for which hardware may need less.
"""
_PROVENANCE = {
    "launch": "counted",
    "sum": "counted, sampled",
    "ratio": "counted, sampled",
    "work": "estimated",
    "model": "estimated",
}


def table() -> str:
    """The whole document, Markdown."""
    return _HEAD + "".join(_chapter(title, rows) for title, rows in GROUPS.items())


def _chapter(title: str, rows: tuple[Row, ...]) -> str:
    lines = [
        "",
        f"## {title}",
        "",
        "| metric | unit | how it is counted | provenance |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| `{row.name}` | {row.unit} | {row.how} | {_PROVENANCE[row.kind]} |" for row in rows]
    return "\n".join(lines) + "\n"


def main(path: Path = DOCUMENT) -> None:
    """Write the document."""
    path.write_text(table())


if __name__ == "__main__":
    main()
