"""docs/metrics.md and docs/cost-model.md say what the code does; metric names have Nsight's form."""

from __future__ import annotations

import re

from sandbox.simulator.cost.caches import Footprint
from sandbox.simulator.cost.constants import documented
from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.cost.estimate import estimate
from sandbox.simulator.cost.traffic import LaunchShape
from sandbox.simulator.documents.metric_table import DOCUMENT, table
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.gpus.occupancy import occupancy
from sandbox.simulator.metrics.table import ROWS

COST_MODEL = DOCUMENT.with_name("cost-model.md")
# Nsight Compute, "Metrics Structure": unit__counter, then for counters a rollup, for ratios .ratio or .pct.
COUNTER = re.compile(
    r"(sm|smsp|l1tex|lts|dram|gpu)__[a-z0-9_]+\.(sum|ratio|pct|avg\.pct_of_peak_sustained_elapsed)"
)
NO_ROLLUP = re.compile(r"launch__[a-z_]+|sm__maximum_warps_per_active_cycle_pct")
OURS = re.compile(r"warpwright__[a-z_]+\.(sum|pct)")


def test_the_document_is_what_the_rows_say():
    assert DOCUMENT.read_text() == table(), "run: python -m sandbox.simulator.documents.metric_table"


def test_names_have_nsights_form_and_none_comes_twice():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    for name in names:
        assert COUNTER.fullmatch(name) or NO_ROLLUP.fullmatch(name) or OURS.fullmatch(name), name


def test_the_unit_follows_from_the_name():
    units = {
        "sectors_per_request": "sector/request",
        "t_sectors_": "sector",
        "t_requests": "request",
        "bytes_": "byte",
    }
    for row in ROWS:
        if ".pct" in row.name or row.name.endswith("_pct"):
            assert row.unit == "%"
        elif row.kind != "launch":
            wanted = next((unit for part, unit in units.items() if part in row.name), row.unit)
            assert row.unit == wanted, row.name


def test_the_constants_of_the_model_are_those_in_its_document_with_their_sources():
    table = COST_MODEL.read_text().partition("## Constants")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| ([\d.]+) \| (.+) \|$", table, flags=re.M)
    assert rows == [(name, str(value), source) for name, value, source in documented()]


def test_the_text_of_the_document_names_each_constant_where_it_is_used():
    text = COST_MODEL.read_text().partition("## Constants")[0]
    assert [name for name, _, _ in documented() if name not in text] == []


def test_the_parts_of_an_estimate_are_those_in_its_document():
    architecture = ARCHITECTURES["h200"]
    shape = LaunchShape(1, 1, 32, 1, 32, 0, occupancy(architecture, 32, 32, 0), {})
    parts = estimate(Counter(1, Footprint(1)), shape, architecture).parts
    described = COST_MODEL.read_text().partition("## Constants")[0]
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\|", described, flags=re.M)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(parts)
