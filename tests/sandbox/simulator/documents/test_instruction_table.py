"""docs/ptx.md says what the code does, and what it leaves out is refused by name."""

from __future__ import annotations

import re

import pytest

from sandbox.plan import Launch, Plan
from sandbox.program import Program
from sandbox.simulator.documents.instruction_table import DOCUMENT, table
from sandbox.simulator.execute import running
from sandbox.simulator.instructions.catalogue import FORMULAS, STEPS
from sandbox.simulator.instructions.refused import REFUSED, Refused
from sandbox.verdict import Verdict

KERNEL = """.version 9.0
.target sm_90a
.address_size 64
.file 1 "kernel.cu"
.visible .entry k()
{{
  .reg .b32 %r<2>;
  .reg .b64 %rd<2>;
  .loc 1 7 0
  {statement};
  ret;
}}
"""


def test_the_document_is_what_the_catalogue_says():
    assert DOCUMENT.read_text() == table(), "run: python -m sandbox.simulator.documents.instruction_table"


@pytest.mark.parametrize("one", REFUSED, ids=lambda one: one.name)
def test_what_the_document_refuses_is_refused_by_name_and_line(one: Refused):
    ptx = KERNEL.format(statement=one.example)
    program = Program(one.name, "sm_90a", ptx, b"", {}, ())
    plan = Plan((), (Launch("k", (1, 1, 1), (32, 1, 1), 0, (), 1),))
    fault = running.run(program, plan, {}, 1).fault
    assert fault is not None
    assert (fault.verdict, fault.line) == (Verdict.UNSUPPORTED, 7)
    assert re.split(r"\s", one.example)[0] in fault.message


def test_every_entry_names_its_sections_and_says_what_it_does():
    for entry in (*FORMULAS.values(), *STEPS.values()):
        assert re.fullmatch(r"9\.7\.\d+(\.\d+)+(, 9\.7\.\d+(\.\d+)+)*", entry.section), entry
        assert entry.build.__doc__, entry
    assert not FORMULAS.keys() & STEPS.keys()
