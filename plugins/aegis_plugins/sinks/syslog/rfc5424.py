"""Syslog messages as RFC 5424 has them, and with the header of RFC 3164, which receivers of CEF expect.

What a message holds comes from the wire: nothing in it ends the message, its structured data or its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aegis_enrich.visible import visible

FACILITIES = {
    **{name: n for n, name in enumerate(("kern", "user", "mail", "daemon", "auth", "syslog"))},
    "authpriv": 10,
    **{f"local{n}": 16 + n for n in range(8)},
}
SEVERITIES = {99: 2, 73: 3, 47: 4, 21: 5}  # critical: Critical, high: Error, medium: Warning, low: Notice
BOM = b"\xef\xbb\xbf"
NIL = "-"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_NO_SD_NAME = re.compile(r'[^\x21-\x7e]|[= \]"]')


@dataclass(frozen=True)
class Header:
    """What stands before the message."""

    facility: str
    severity: int  # of the document: 21, 47, 73, 99
    time: str  # ISO 8601 in UTC
    hostname: str
    app: str
    message_id: str = ""

    @property
    def priority(self) -> str:
        return f"<{FACILITIES[self.facility] * 8 + SEVERITIES.get(self.severity, 5)}>"


def message(header: Header, data: Mapping[str, Mapping[str, str]], body: str) -> bytes:
    """RFC 5424: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD MSG`; a byte order mark where MSG is not ASCII."""
    head = " ".join(
        (
            f"{header.priority}1",
            header.time or NIL,
            name(header.hostname, 255),
            name(header.app, 48),
            NIL,
            name(header.message_id, 32),
            structured(data),
        )
    )
    return head.encode() + b" " + (b"" if body.isascii() else BOM) + encoded(body)


def old_message(header: Header, body: str) -> bytes:
    """RFC 3164: `<PRI>Mmm dd hh:mm:ss HOSTNAME MSG`, in UTC, without a tag, as CEF wants it."""
    try:
        at = datetime.fromisoformat(header.time)
    except ValueError:
        at = datetime.fromtimestamp(0, UTC)
    stamp = f"{_MONTHS[at.month - 1]} {at.day:>2} {at:%H:%M:%S}"
    return f"{header.priority}{stamp} {name(header.hostname, 255)} ".encode() + encoded(body)


def name(text: str, most: int) -> str:
    """A field of the header: printable ASCII without blanks, cut; `-` for none."""
    return _UNPRINTABLE.sub("?", text)[:most] or NIL


def structured(data: Mapping[str, Mapping[str, str]]) -> str:
    """STRUCTURED-DATA: elements with parameters that have a value; `-` for none."""
    elements = []
    for element, parameters in data.items():
        shown = "".join(f' {_sd_name(key)}="{escaped(value)}"' for key, value in parameters.items() if value)
        elements.append(f"[{_sd_name(element)}{shown}]")
    return "".join(elements) or NIL


def _sd_name(text: str) -> str:
    return _NO_SD_NAME.sub("?", text)[:32]


def escaped(value: str) -> str:
    """A PARAM-VALUE: backslash, quote and closing bracket escaped, one line."""
    return visible(value).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def encoded(body: str) -> bytes:
    """MSG on one line."""
    return visible(body).encode("utf-8", "replace")


def cut(whole: bytes, most: int) -> bytes:
    """The message in so many bytes, never within a character; one that was cut ends with `...`."""
    if len(whole) <= most:
        return whole
    return whole[: most - 3].decode("utf-8", "ignore").encode() + b"..."
