"""Verdicts as CI systems read them (JUnit XML, SARIF 2.1.0, GitHub's workflow commands, JSON), and as trainers do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib.metadata import version
from typing import Any
from xml.etree import ElementTree

from agent.cli.judging.many import Judged
from agent.cli.output import clean
from sandbox.verdict import Verdict

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


class VerdictFormat(StrEnum):
    """How verdicts are printed."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    REWARD = "reward"


def junit(judged: Sequence[Judged]) -> str:
    """Return a JUnit report: a suite a task, a case a kernel."""
    root = ElementTree.Element("testsuites", name="warpwright")
    for task in dict.fromkeys(one.task for one in judged):
        ours = [one for one in judged if one.task == task]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=task,
            tests=str(len(ours)),
            failures=str(sum(not one.ok and not one.lacks for one in ours)),
            skipped=str(sum(one.lacks for one in ours)),
            time=f"{sum(one.seconds for one in ours):.3f}",
        )
        for one in ours:
            _junit_case(suite, one)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _junit_case(suite: ElementTree.Element, one: Judged) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=one.task,
        name=one.kernel.as_posix(),
        file=one.place[0].as_posix(),
        line=str(one.place[1]),
        time=f"{one.seconds:.3f}",
    )
    if one.ok:
        return
    kind = "skipped" if one.lacks else "failure"
    message = _printable(one.message)
    told = ElementTree.SubElement(case, kind, message=message.partition("\n")[0])
    if kind == "failure":
        told.set("type", _rule(one))
        told.text = message


def sarif(judged: Sequence[Judged]) -> str:
    """Return a SARIF log: one result for each kernel that is not right, or slower."""
    failed = [one for one in judged if not one.ok]
    rules = sorted({_rule(one) for one in failed})
    results = [
        {
            "ruleId": _rule(one),
            "level": "warning" if one.lacks else "error",
            "message": {"text": f"{one.task}: {_printable(one.message)}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": one.place[0].as_posix()},
                        "region": {"startLine": one.place[1]},
                    }
                }
            ],
        }
        for one in failed
    ]
    driver = {
        "name": "warpwright",
        "version": version("warpwright"),
        "rules": [{"id": rule} for rule in rules],
    }
    log = {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(log, indent=2)


def github(judged: Sequence[Judged]) -> str:
    """Return workflow commands that put verdicts on their lines, and a last line that counts.

    GitHub Docs, "Workflow commands": `%`, line ends, and in properties `:` and `,` are escaped.
    """
    lines = [
        f"::{'warning' if one.lacks else 'error'} file={_property(one.place[0].as_posix())},"
        f"line={one.place[1]},"
        f"title={_property(f'{one.task}: {_rule(one)}')}::{_data(_printable(one.message))}"
        for one in judged
        if not one.ok
    ]
    right = sum(one.ok for one in judged)
    return "\n".join([*lines, f"{right} of {len(judged)} kernels are right"])


def as_json(judged: Sequence[Judged]) -> str:
    """Return everything, as `--against` reads it."""
    from pydantic_core import to_json

    return to_json({"results": [one.plain() for one in judged]}, indent=2).decode()


def rewards(judged: Sequence[Judged]) -> str:
    """Return a line of JSON a kernel: what came of it, and its reward as trajectories have it; null for none."""
    from agent.trajectories.rewards import NAME, reward

    def told(one: Judged) -> dict[str, Any]:
        profile = None if one.report is None else one.report.profile
        speedup = None if profile is None else profile.speedup
        given = None if one.report is None else reward(one.verdict, speedup)
        summary = {key: value for key, value in one.summary().items() if key != "slower"}
        return summary | {"speedup": speedup, "reward": given, "reward_definition": NAME}

    return "\n".join(json.dumps(told(one)) for one in judged)


FORMATS: dict[VerdictFormat, Callable[[Sequence[Judged]], str]] = {
    VerdictFormat.JSON: as_json,
    VerdictFormat.JUNIT: junit,
    VerdictFormat.SARIF: sarif,
    VerdictFormat.GITHUB: github,
    VerdictFormat.REWARD: rewards,
}
"""What writes each format but text."""


def _rule(one: Judged) -> str:
    if one.verdict is not Verdict.PASS:
        return str(one.verdict)
    return "slower" if one.slower else "not_judged"


def _printable(text: str) -> str:
    return clean(text).replace("\t", " ").strip() or "no reason was given"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
