"""What a report is written as."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.report.account import Account
    from agent.report.task_suite_account import TaskSuiteAccount


class ReportFormat(StrEnum):
    """What a report is written as."""

    HTML = "html"
    MD = "md"
    PNG = "png"
    JSON = "json"


def rendered(account: Account | TaskSuiteAccount, form: ReportFormat) -> bytes:
    """Return an account in a format, as a file holds it.

    Raises:
        UsageError: There is nothing to draw in a picture.
        MissingDependencyError: Nothing here can draw.
    """
    match form:
        case ReportFormat.JSON:
            return _json(account).encode()
        case ReportFormat.MD:
            from agent.report.markdown import markdown

            return markdown(account).encode()
        case ReportFormat.PNG:
            from agent.report.account import ComparisonAccount, RunAccount
            from agent.report.picture import png

            if not isinstance(account, RunAccount | ComparisonAccount):
                raise UsageError("a picture is of a run, or of two; of judgements there is a page")
            return png(account)
        case ReportFormat.HTML:
            from agent.report.html import html

            return html(account).encode()


def _json(account: Account | TaskSuiteAccount) -> str:
    """Return an account as JSON that any parser reads: ASCII for lone surrogates, null for what is no number."""
    plain = json.dumps(account.model_dump(mode="json"))
    return json.dumps(json.loads(plain, parse_constant=lambda _: None), indent=2) + "\n"
