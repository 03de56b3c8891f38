"""What a report is written as."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.report.account import Account


class ReportFormat(StrEnum):
    """What a report is written as."""

    HTML = "html"
    MD = "md"
    JSON = "json"


def rendered(account: Account, form: ReportFormat) -> str:
    """Return an account in a format."""
    match form:
        case ReportFormat.JSON:
            return _json(account)
        case ReportFormat.MD:
            from agent.report.markdown import markdown

            return markdown(account)
        case ReportFormat.HTML:
            from agent.report.html import html

            return html(account)


def _json(account: Account) -> str:
    """Return an account as JSON that any parser reads: ASCII for lone surrogates, null for what is no number."""
    plain = json.dumps(account.model_dump(mode="json"))
    return json.dumps(json.loads(plain, parse_constant=lambda _: None), indent=2) + "\n"
