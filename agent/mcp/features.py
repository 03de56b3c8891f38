"""The feature library as a tool: the techniques that candidates are composed from."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field, StringConstraints

from prompts import features
from sandbox.device import Bottleneck
from tools.mcp.reading import joined, next_call, table, text_of
from tools.mcp.tool import ReadableTool

_Name = Annotated[str, StringConstraints(max_length=64)]
_KINDS = sorted({one for feature in features() for one in feature.applies_to})
_AGAINST: dict[Bottleneck, tuple[str, ...]] = {
    Bottleneck.DRAM: ("vectorized_loads", "grid_stride_loop", "online_softmax"),
    Bottleneck.L2: ("shared_memory_tiling", "vectorized_loads", "register_blocking"),
    Bottleneck.L1: ("shared_memory_tiling", "vectorized_loads", "read_only_cache"),
    Bottleneck.SHARED_MEMORY: ("bank_conflict_padding", "register_blocking", "warp_shuffle_reduction"),
    Bottleneck.ISSUE: ("vectorized_loads", "loop_unrolling", "register_blocking"),
    Bottleneck.ATOMICS: ("two_pass_reduction", "warp_shuffle_reduction"),
    Bottleneck.LATENCY: ("block_size_tuning", "grid_stride_loop", "loop_unrolling"),
}
_ARITHMETIC = ("register_blocking", "loop_unrolling", "block_size_tuning")


class FeatureLine(BaseModel):
    """One technique."""

    name: str
    summary: str
    applies_to: list[str] = Field(description="Kinds of kernel that it can help.")


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
    rows = [(one.name, one.summary, ", ".join(one.applies_to)) for one in answer.features]
    return joined(
        table(("technique", "what it does", "helps"), rows),
        next_call("list_features(names=[...]) with the two or three that fit, for their pages."),
    )


def feature_tools() -> list[ReadableTool]:
    """Return the tool."""
    return [ReadableTool.of("list_features", "List optimisation techniques", list_features)]


def features_against(bottleneck: str) -> list[str]:
    """Return the names of techniques that may help against a bottleneck, the likeliest first."""
    known = {feature.name for feature in features()}
    named = {str(one): names for one, names in _AGAINST.items()}
    return [name for name in named.get(bottleneck, _ARITHMETIC) if name in known]


async def list_features(
    ctx: Context[Any],
    kind: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Only those for a kind of kernel; unset, all.",
            json_schema_extra={"enum": [*_KINDS]},
        ),
    ] = None,
    names: Annotated[
        list[_Name] | None, Field(max_length=4, description="Up to four to read the pages of.")
    ] = None,
) -> FeatureList:
    """List the optimisation techniques that warpwright knows, or read the pages of some.

    Use it when a profile names a bottleneck, or before you write a kernel: first without names to choose, then
    with the two or three names that fit, for pitfalls and a sketch of the code.
    """
    library = features()
    if kind is not None and kind not in _KINDS:
        raise ToolError(f"there is no kind {kind!r}; kinds are {', '.join(_KINDS)}")
    known = {feature.name: feature for feature in library}
    if unknown := [name for name in names or () if name not in known]:
        raise ToolError(f"there is no feature {unknown[0]!r}; there are {', '.join(known)}")
    listed = [] if names else [one for one in library if kind is None or kind in one.applies_to]
    return FeatureList(
        features=[
            FeatureLine(name=one.name, summary=one.summary, applies_to=list(one.applies_to)) for one in listed
        ],
        pages=[FeaturePage(name=name, text=known[name].text) for name in names or ()],
    )
