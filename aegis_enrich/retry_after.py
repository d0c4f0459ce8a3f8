"""The header with which an HTTP server says for how long it wants to be left alone."""

from __future__ import annotations

import email.utils


def retry_after_s(value: str | None, now_s: float) -> float:
    """Seconds of a Retry-After header (a number, or an HTTP date); 0 where there is none that can be read."""
    if not value:
        return 0.0
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now_s)
    except ValueError:
        return 0.0
