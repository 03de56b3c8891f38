"""What pages say of features together."""

from __future__ import annotations

from agent.strategies.relations import Relations
from prompts import features

RELATIONS = Relations({page.name: page for page in features()})


def test_what_is_added_brings_what_it_needs_and_drives_out_what_it_excludes():
    padded = RELATIONS.with_all((), ["bank_conflict_padding"])
    assert padded == {"bank_conflict_padding", "shared_memory_tiling"}
    assert RELATIONS.with_all(padded, ["shared_memory_swizzle"]) == {
        "shared_memory_swizzle",
        "shared_memory_tiling",
    }


def test_what_is_taken_out_takes_along_what_needs_it():
    used = {"bank_conflict_padding", "shared_memory_tiling", "row_packing"}
    assert RELATIONS.without_all(used, ["shared_memory_tiling"]) == {"row_packing"}
    assert RELATIONS.without_all(used, ["bank_conflict_padding"]) == {"shared_memory_tiling", "row_packing"}
