"""What a form of these pages sends."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from sandbox.errors import UsageError

_LARGEST = 1024 * 1024
_FIELDS = 64
_URLENCODED = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Mapping[str, str]:
    """Return a form's fields; line ends are as kernels have them.

    Raises:
        UsageError: It is no form, or larger than any that these pages send.
    """
    if not request.headers.get("content-type", "").startswith(_URLENCODED):
        raise UsageError("a form was expected")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise UsageError(f"a form may hold {_LARGEST} bytes")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:
        raise UsageError("that is no form of these pages") from None
    return {name: value.replace("\r\n", "\n") for name, value in fields}
