"""The feature library as a tool: the techniques that candidates are composed from."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field, StringConstraints

from agent.library import library
from agent.mcp.services import Services, services_of
from prompts import features
from sandbox.device import Bottleneck
from tools.mcp.reading import joined, next_call, table, text_of
from tools.mcp.tool import ReadableTool

_Name = Annotated[str, StringConstraints(max_length=64)]
_KINDS = sorted({one for feature in features() for one in feature.applies_to})


_SUMMED_UP = 24
"""Techniques of a list that says what each does; of more it names them, by family."""


class FeatureLine(BaseModel):
    """One technique."""

    name: str
    family: str
    summary: str
    applies_to: list[str] = Field(description="Kinds of kernel that it can help.")
    bottlenecks: list[str] = Field(description="What bounds the kernels that it helps; none: any.")


class FeaturePage(BaseModel):
    """One technique, explained."""

    name: str
    text: str = Field(description="When it helps, the metrics that show it, pitfalls, and a sketch.")


class FeatureList(BaseModel):
    """The library, the most generally useful first; or the pages that were asked for."""

    features: list[FeatureLine]
    pages: list[FeaturePage]


@text_of.register
def _(answer: FeatureList) -> str:
    if answer.pages:
        return "\n\n".join(page.text.strip() for page in answer.pages)
    if len(answer.features) > _SUMMED_UP:
        families = dict.fromkeys(one.family for one in answer.features)
        names = {
            family: ", ".join(one.name for one in answer.features if one.family == family)
            for family in families
        }
        return joined(
            table(("family", "techniques"), list(names.items())),
            next_call(
                "list_features(bottleneck=...) or (kind=...) for what each does, or (names=[...]) for pages."
            ),
        )
    rows = [(one.name, one.summary, ", ".join(one.applies_to)) for one in answer.features]
    return joined(
        table(("technique", "what it does", "helps"), rows),
        next_call("list_features(names=[...]) with the two or three that fit, for their pages."),
    )


def feature_tools() -> list[ReadableTool]:
    """Return the tool."""
    return [ReadableTool.of("list_features", "List optimisation techniques", list_features)]


async def list_features(
    ctx: Context[Services],
    kind: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Only those for a kind of kernel; unset, all.",
            json_schema_extra={"enum": [*_KINDS]},
        ),
    ] = None,
    bottleneck: Annotated[
        Bottleneck | None,
        Field(description="Only those for kernels bound by it, as profile_kernel names it."),
    ] = None,
    names: Annotated[
        list[_Name] | None, Field(max_length=4, description="Up to four to read the pages of.")
    ] = None,
) -> FeatureList:
    """List the optimisation techniques that warpwright knows, or read the pages of some.

    Use it when a profile names a bottleneck, or before you write a kernel: first without names to choose, then
    with the two or three names that fit, for pitfalls and a sketch of the code.
    """
    pages = library(services_of(ctx).home)
    kinds = sorted({one for page in pages for one in page.applies_to})
    if kind is not None and kind not in kinds:
        raise ToolError(f"there is no kind {kind!r}; kinds are {', '.join(kinds)}")
    known = {page.name: page for page in pages}
    if unknown := [name for name in names or () if name not in known]:
        raise ToolError(f"there is no feature {unknown[0]!r}; there are {', '.join(known)}")
    listed = [
        one
        for one in pages
        if not names
        and (kind is None or kind in one.applies_to)
        and (bottleneck is None or not one.bottlenecks or bottleneck in one.bottlenecks)
    ]
    return FeatureList(
        features=[
            FeatureLine(
                **one.model_dump(include={"name", "family", "summary"}),
                applies_to=list(one.applies_to),
                bottlenecks=list(one.bottlenecks),
            )
            for one in listed
        ],
        pages=[FeaturePage(name=name, text=known[name].text) for name in names or ()],
    )
