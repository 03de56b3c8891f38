"""What models are told: one Markdown file a role, one a request, one a chat prompt, and the feature library."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

__all__ = ["Feature", "features", "load_role", "render_chat", "render_request"]

_FENCE = "+++"


@dataclass(frozen=True)
class Feature:
    """One optimisation technique that candidates are composed from.

    Attributes:
        summary: One sentence for a list.
        applies_to: Kinds of kernel: elementwise, row_reduction, reduction, transpose, matmul, stencil.
        text: The whole page as a model reads it: when it helps, what shows it, pitfalls, a sketch.
    """

    name: str
    summary: str
    applies_to: tuple[str, ...]
    text: str


@cache
def load_role(name: str) -> str:
    """Return what the model in a role (planner, coder, critic) is told once, the same for every run."""
    return _read(f"{name}.md")


def render_request(name: str, values: Mapping[str, str]) -> str:
    """Return what the model in a role is asked now; raises KeyError where a value is missing."""
    return Template(_read(f"requests/{name}.md")).substitute(values)


def render_chat(name: str, values: Mapping[str, str]) -> str:
    """Return what a person's own chat model is asked, in a client with these tools; raises KeyError as above."""
    return Template(_read(f"chat/{name}.md")).substitute(values)


@cache
def features() -> tuple[Feature, ...]:
    """Return the feature library, the most generally useful first."""
    folder = files(__name__) / "features"
    names = (entry.name for entry in folder.iterdir())
    pages = [_page(_read(f"features/{name}")) for name in names if name.endswith(".md")]
    return tuple(feature for _, feature in sorted(pages, key=lambda page: (page[0], page[1].name)))


def _page(text: str) -> tuple[int, Feature]:
    _, head, body = text.split(f"{_FENCE}\n", 2)
    about = tomllib.loads(head)
    feature = Feature(
        name=about["name"],
        summary=about["summary"],
        applies_to=tuple(about["applies_to"]),
        text=f"# {about['name']}\n\n{about['summary']}\n\n{body.strip()}\n",
    )
    return about["order"], feature


@cache
def _read(path: str) -> str:
    return (files(__name__) / path).read_text(encoding="utf-8")
