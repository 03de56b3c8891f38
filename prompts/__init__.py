"""What models are told: a Markdown file a role, a request, a chat prompt, a way of asking, and a feature."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "KINDS",
    "PLAIN",
    "Family",
    "Feature",
    "Kind",
    "features",
    "load_role",
    "read_page",
    "render_chat",
    "render_facts",
    "render_request",
    "variant_text",
    "variants",
]

Kind = Literal[
    "elementwise", "row_reduction", "reduction", "transpose", "matmul", "stencil", "scan", "sort", "histogram"
]
"""Kinds of task that features can help."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Family = Literal["memory", "tiling", "compute", "tensor", "reduction", "parallelism", "launch", "fusion"]
"""What a feature is about."""
PLAIN = "plain"
"""The way of asking that adds nothing."""
_FENCE = "+++"


class Feature(BaseModel):
    """One optimisation technique that candidates are composed from.

    Attributes:
        order: Place in the library, the most generally useful first.
        family: What it is about: memory, tiling, compute, tensor, reduction, parallelism, launch, fusion.
        summary: One sentence for a list.
        applies_to: Kinds of kernel that it can help, of `KINDS`.
        bottlenecks: What bounds the kernels that it helps, by the names that reports have; empty for any.
        architecture: The oldest that has what it takes, as in `sm_80`.
        needs: Features that it builds on.
        conflicts: Features that it replaces or that exclude it.
        cost: What it takes: registers, shared memory, code, launches.
        metric: What falls or rises where it works.
        gain: How many times faster kernels that it fits become, roughly: what is believed before anything is tried.
        text: The whole page as a model reads it: when it helps, what shows it, pitfalls, a sketch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    order: int
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,47}$")
    family: Family
    summary: str
    applies_to: tuple[Kind, ...] = Field(min_length=1)
    bottlenecks: tuple[str, ...]
    architecture: str = Field(pattern=r"^sm_\d+$")
    needs: tuple[str, ...]
    conflicts: tuple[str, ...]
    cost: str
    metric: str
    gain: float = Field(gt=0.5, lt=10)
    text: str

    def fits(self, kind: str, architecture: str) -> bool:
        """Whether it can help a kind of task on an architecture, as in `sm_90`; empty where that is not known."""
        return kind in self.applies_to and self.runs_on(architecture)

    def runs_on(self, architecture: str) -> bool:
        """Whether an architecture, as in `sm_90`, has what it needs; empty where that is not known."""
        there, wanted = _generation(architecture), _generation(self.architecture)
        return there is None or wanted is None or there >= wanted


@cache
def load_role(name: str) -> str:
    """Return what the model in a role (planner, coder, critic) is told once, the same for every run."""
    return _read(f"{name}.md")


@cache
def variants(role: str) -> tuple[str, ...]:
    """Return the names of the ways in which a role can be asked; `PLAIN` comes first, and every role has it."""
    folder = files(__name__) / "variants" / role
    names = {entry.name.removesuffix(".md") for entry in folder.iterdir()} if folder.is_dir() else set[str]()
    return (PLAIN, *sorted(names - {PLAIN}))


def variant_text(role: str, name: str) -> str:
    """Return what a way of asking adds to the request; nothing for `PLAIN`."""
    return "" if name == PLAIN else f"{_read(f'variants/{role}/{name}.md').strip()}\n\n"


def render_request(name: str, values: Mapping[str, str]) -> str:
    """Return what the model in a role is asked now; raises KeyError where a value is missing."""
    return Template(_read(f"requests/{name}.md")).substitute(values)


def render_facts(values: Mapping[str, str]) -> str:
    """Return what is known of the device and of what judges; raises KeyError as above."""
    return Template(_read("facts.md")).substitute(values)


def render_chat(name: str, values: Mapping[str, str]) -> str:
    """Return what a person's own chat model is asked, in a client with these tools; raises KeyError as above."""
    return Template(_read(f"chat/{name}.md")).substitute(values)


@cache
def features() -> tuple[Feature, ...]:
    """Return the feature library, the most generally useful first."""
    folder = files(__name__) / "features"
    names = (entry.name for entry in folder.iterdir())
    pages = [read_page(_read(f"features/{name}")) for name in names if name.endswith(".md")]
    return tuple(sorted(pages, key=lambda page: (page.order, page.name)))


def read_page(text: str) -> Feature:
    """Read a page of the library: front matter in TOML, then Markdown.

    Raises:
        ValueError: It is not a page; the text says what is wrong.
    """
    start, *rest = text.split(f"{_FENCE}\n", 2)
    if start or len(rest) != 2:
        msg = f"a page begins with front matter between two lines of {_FENCE}"
        raise ValueError(msg)
    about = tomllib.loads(rest[0])
    page = Feature.model_validate({**about, "text": rest[1]})
    said = f"# {page.name}\n\n{page.summary}\n\n{_facts(page)}\n\n{rest[1].strip()}\n"
    return page.model_copy(update={"text": said})


def _facts(page: Feature) -> str:
    """Return front matter as a model reads it."""
    bounds = ", ".join(page.bottlenecks) or "anything"
    needs, excludes = (", ".join(names) or "nothing" for names in (page.needs, page.conflicts))
    return (
        f"For: {', '.join(page.applies_to)}; bound by {bounds}; {page.architecture} or newer.\n"
        f"Needs: {needs}. Excludes: {excludes}. Cost: {page.cost}.\n"
        f"Expect: {page.metric}."
    )


def _generation(architecture: str) -> int | None:
    """Return the number in `sm_90`, or in `sm_90a`."""
    found = re.fullmatch(r"sm_(\d+)[a-z]?", architecture)
    return int(found[1]) if found else None


@cache
def _read(path: str) -> str:
    return (files(__name__) / path).read_text(encoding="utf-8")
