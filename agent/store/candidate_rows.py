"""Rows of the table of candidates as values."""

from __future__ import annotations

import json

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from agent.candidates import CandidatePlan, Line, Submission, Trial
from agent.niches import Niche
from agent.store.records import load_report
from sandbox.verdict import Provenance, Verdict
from tools.preference import Merit, merit

_NICHE = TypeAdapter(Niche)


def merit_of(trial: Trial) -> Merit:
    """What is known of a candidate that was timed; one whose report was not kept counts as lean."""
    report = trial.report
    if report is not None and report.profile is not None and report.profile.latency_us is not None:
        return merit(report.profile, report.compile)
    assert trial.latency_us is not None, "only what was timed is ranked"
    return Merit(trial.latency_us, trial.provenance is not Provenance.MEASURED, (0, 0, 0))


def submission(row: RowMapping) -> Submission:
    """Return what was submitted."""
    plan = CandidatePlan(
        *(row["parent"], tuple(json.loads(row["features"])), row["why"], row["other"], row["origin"]),
        without=tuple(json.loads(row["without"])),
    )
    used = tuple(json.loads(row["used_features"]))
    return Submission(row["round"], row["candidate"], plan, row["sha"], used)


def line(row: RowMapping) -> Line:
    """Return a judged candidate in a line; no report is read."""
    return Line(
        round=row["round"],
        candidate=row["candidate"],
        sha=row["sha"],
        parents=tuple(sha for sha in (row["parent"], row["other"]) if sha is not None),
        features=tuple(json.loads(row["features"])),
        used=tuple(json.loads(row["used_features"])),
        verdict=Verdict(row["verdict"]),
        latency_us=row["latency_us"],
        duplicate=row["duplicate_of"] is not None,
        lost=bool(row["lost"]),
        origin=row["origin"],
        niche=None if row["niche"] is None else _NICHE.validate_json(row["niche"]),
        without=tuple(json.loads(row["without"])),
    )


def trial(row: RowMapping) -> Trial:
    """Return what became of a candidate."""
    known = {
        "features": json.loads(row["features"]),
        "without": json.loads(row["without"]),
        "tune": json.loads(row["tune"]),
        "report": None if row["report"] is None else load_report(row["report"]),
        "niche": None if row["niche"] is None else _NICHE.validate_json(row["niche"]),
        "used": json.loads(row["used_features"]),
    }
    return Trial.model_validate({**dict(row), **known})
