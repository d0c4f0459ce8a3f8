"""The signature of a request: who knows the secret can tell that it is ours, unchanged and not sent again by others."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

TIMESTAMP = "X-Aegis-Timestamp"  # seconds since the epoch at which it was sent
SIGNATURE = "X-Aegis-Signature"  # v1=<hex>, one for each secret, with commas
DELIVERY = "X-Aegis-Delivery"  # <kind>-<id>-<revision>: the same for each try
WINDOW_S = 300
_SCHEME = "v1="


def signed(body: bytes, secrets: Sequence[str], now_s: float) -> dict[str, str]:
    """The headers: HMAC-SHA256 in hex over the timestamp, a dot and the body; none where there is no secret."""
    if not secrets:
        return {}
    timestamp = str(int(now_s))
    return {TIMESTAMP: timestamp, SIGNATURE: ",".join(_SCHEME + _digest(s, timestamp, body) for s in secrets)}


def verify(body: bytes, headers: Mapping[str, str], secret: str, now_s: float, window_s: float = WINDOW_S) -> bool:
    """What a receiver does: whether a request was signed with this secret, no longer ago than the window.

    Within the window a request may still be sent again by others: who must do a thing once only keeps the values of
    X-Aegis-Delivery for as long.
    """
    found = {name.lower(): value for name, value in headers.items()}
    timestamp = found.get(TIMESTAMP.lower(), "")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now_s - int(timestamp)) > window_s:
        return False
    right = _SCHEME + _digest(secret, timestamp, body)
    given = found.get(SIGNATURE.lower(), "").split(",")
    return any(hmac.compare_digest(right.encode(), each.strip().encode()) for each in given)


def _digest(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
