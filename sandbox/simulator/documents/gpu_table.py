"""docs/gpus.md from the architectures: `python -m sandbox.simulator.documents.gpu_table` writes it anew."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.gpus.sources import CITATIONS, source

DOCUMENT = Path(__file__).parents[3] / "docs" / "gpus.md"

_HEAD = """# Simulated GPUs

Written by `python -m sandbox.simulator.documents.gpu_table`; a test compares it. What each number means is said
in `sandbox/simulator/gpus/architectures.py`, what is made of it in [cost-model.md](cost-model.md). The letter after a
number names its source:

"""


def table() -> str:
    """The whole document, Markdown."""
    text = _HEAD + "".join(f"- **{letter}**: {what}.\n" for letter, what in CITATIONS.items())
    for architecture in ARCHITECTURES.values():
        text += f"\n## {architecture.name}\n\n| | value | source |\n| --- | --- | --- |\n"
        for attribute in fields(Architecture):
            if attribute.name != "name":
                value = _shown(getattr(architecture, attribute.name))
                text += f"| {attribute.name} | {value} | {source(architecture, attribute.name)} |\n"
    return text


def _shown(value: object) -> str:
    if is_dataclass(value):
        return ", ".join(f"{part.name} {getattr(value, part.name):,}" for part in fields(value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def main(path: Path = DOCUMENT) -> None:
    """Write the document."""
    path.write_text(table())


if __name__ == "__main__":
    main()
