"""Lines of inlined code lead back to the kernel file."""

from __future__ import annotations

from sandbox.simulator.ptx.locations import Locations

FILES = """
.file 1 "kernel.cu"
.file 2 "cub/block/outer.cuh"
.file 3 "cub/thread/inner.cuh"
"""


def test_code_inlined_through_several_headers_has_the_line_that_called_the_first():
    at = Locations(FILES, "kernel.cu")
    found = []
    for directive in (
        ".loc 1 5 3",
        ".loc 2 40 5, function_name $L__info_string0, inlined_at 1 6 3",
        ".loc 3 88 7, function_name $L__info_string1, inlined_at 2 40 5",
        ".loc 2 40 5, function_name $L__info_string0, inlined_at 1 9 1",
        ".loc 3 88 7, function_name $L__info_string1, inlined_at 2 40 5",
        ".loc 1 10 0",
    ):
        at.read(directive)
        found.append((at.line, at.header))
    outer, inner = "cub/block/outer.cuh", "cub/thread/inner.cuh"
    assert found == [(5, ""), (6, outer), (6, inner), (9, outer), (9, inner), (10, "")]


def test_a_header_that_was_not_inlined_keeps_the_last_line_of_the_kernel_file():
    at = Locations(FILES, "kernel.cu")
    at.read(".loc 1 7 1")
    at.read(".loc 2 12 1")
    assert (at.line, at.header) == (7, "cub/block/outer.cuh")


def test_without_the_kernel_file_every_line_counts_and_line_zero_never_does():
    at = Locations('.file 1 "other.cu"', "kernel.cu")
    at.read(".loc 1 3 1")
    at.read(".loc 1 0 0")
    assert (at.line, at.header) == (3, "")
