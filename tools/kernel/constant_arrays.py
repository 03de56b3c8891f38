"""`//@ constant`: arrays that host code fills with cudaMemcpyToSymbol before launches."""

from __future__ import annotations

import re

from tools.kernel.source_text import masked

_DECLARED = r"__constant__(\s+(?:[A-Za-z_][\w:]*\s+){{1,4}}){name}\s*(?:\[[^\]]*\]\s*){{1,3}};"


def declares(source: str, name: str) -> bool:
    """Whether a source declares a constant array of that name, without a value."""
    return re.search(_DECLARED.format(name=re.escape(name)), masked(source)) is not None
