"""How many sessions of the protocol's older era each caller holds open: nobody may fill the server for the others."""

from __future__ import annotations

import time

from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers

MOST_OF_ONE = 200
"""Sessions of one caller."""
FORGOTTEN_S = 30 * 60.0
"""The SDK closes a session after so long without a request."""
SESSION = "mcp-session-id"
_VERSION = "mcp-protocol-version"


def opens_session(method: str, headers: Headers) -> bool:
    """Say whether a request would open a session: those of the newer era need none."""
    older = headers.get(_VERSION) in (None, *HANDSHAKE_PROTOCOL_VERSIONS)
    return method == "POST" and older and SESSION not in headers


class OpenSessions:
    """Knows which sessions each caller holds open."""

    def __init__(self) -> None:
        self._used: dict[str, dict[str, float]] = {}

    def full(self, caller: str) -> bool:
        """Say whether a caller may not open another one."""
        now = time.monotonic()
        held = self._used.get(caller, {})
        for session in [one for one, used in held.items() if used < now - FORGOTTEN_S]:
            del held[session]
        if not held:
            self._used.pop(caller, None)
        return len(held) >= MOST_OF_ONE

    def note(self, caller: str, session: str) -> None:
        """Take note that a caller's session was opened or used."""
        self._used.setdefault(caller, {})[session] = time.monotonic()

    def forget(self, caller: str, session: str) -> None:
        """Take note that a session was ended."""
        self._used.get(caller, {}).pop(session, None)
