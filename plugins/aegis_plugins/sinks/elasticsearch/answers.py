"""What an answer means that is no success, whichever client got it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from aegis_enrich.errors import SinkError
from aegis_enrich.retry_after import retry_after_s

from .bulk import Later, TooLarge
from .server import NotThere, Unknown


def answered(
    target: str, section: str, status: int, body: Any, headers: Mapping[str, str] = MappingProxyType({})
) -> Exception:
    """What an answer means that is no success, as the exception to raise. `headers`: of the answer, where known."""
    reason = said(status, body)
    if status == 401:
        what = f"wrong credentials ({reason}); set {section}.api_key, or username and password"
        return SinkError(what, where=target)
    if status == 413:
        return TooLarge(f"{target}: too large for one request (413)")
    if status == 429 or status >= 500 or "cluster_block_exception" in reason:
        asked_s = retry_after_s(headers.get("retry-after"), time.time())
        return Later(f"{target}: answers {status} ({reason})", asked_s)
    if status == 403:
        return SinkError(f"{reason}; give the user the privileges in the sink's README", where=target)
    if status == 404:
        return NotThere(reason, where=target)
    if status == 405 or "no handler found" in reason:
        return Unknown(reason, where=target)
    return SinkError(f"answers {status} ({reason})", where=target)


def said(status: int, body: Any) -> str:
    """What the server said, in one line; a proxy's page is no more than its status."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = str(status)
    cause = body.get("error", body) if isinstance(body, Mapping) else phrase
    if isinstance(cause, Mapping):
        cause = f"{cause.get('type', '')}: {cause.get('reason', '')}".strip(": ")
    return " ".join(str(cause or phrase).split())[:300]
