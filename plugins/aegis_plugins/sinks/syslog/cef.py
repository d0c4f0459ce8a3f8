"""A document in ArcSight's Common Event Format, version 0, by the keys of its dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from aegis_enrich import __version__
from aegis_enrich.deliver.texts import derived, text, value
from aegis_enrich.plugin import Document
from aegis_enrich.visible import visible

SEVERITIES = {21: 3, 47: 6, 73: 8, 99: 10}  # CEF: 0-3 low, 4-6 medium, 7-8 high, 9-10 very high
NAME = 512  # characters of a header field
VALUE = 1_023  # of an extension: what most keys hold


def cef(document: Document, event: str) -> str:
    """`CEF:0|vendor|product|version|class|name|severity|extensions`, on one line."""
    body, known = document.body, derived(document, event)
    kind = text(body, "rule.id") or document.kind
    severity = SEVERITIES.get(value(body, "event.severity"), 5)
    head = ("CEF:0", "AegisEnrich", "aegis-enrich", __version__, kind, known["title"], str(severity))
    shown = " ".join(f"{key}={extension(said)}" for key, said in _extensions(document, known) if said)
    return "|".join((head[0], *(header(part) for part in head[1:]))) + "|" + shown


def header(part: str) -> str:
    """A field of the header: backslash and pipe escaped, one line."""
    return visible(part, NAME).replace("\\", "\\\\").replace("|", "\\|")


def extension(said: str) -> str:
    """A value of an extension: backslash and equals sign escaped, line ends written as \\n. A pipe stands as it is."""
    lines = said.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\\n".join(visible(line, VALUE).replace("\\", "\\\\").replace("=", "\\=") for line in lines)


def _extensions(document: Document, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    body = document.body
    yield "externalId", known["id"]
    yield "rt", _milliseconds(body, "aegis.last_seen") or _milliseconds(body, "@timestamp")
    yield "start", _milliseconds(body, "aegis.first_seen") or _milliseconds(body, "event.start")
    yield "end", _milliseconds(body, "aegis.last_seen") or _milliseconds(body, "event.end")
    yield from _address("src", "c6a2", "Source IPv6 Address", text(body, "source.ip"))
    yield "spt", text(body, "source.port")
    yield "shost", text(body, "source.domain")
    yield from _address("dst", "c6a3", "Destination IPv6 Address", text(body, "destination.ip"))
    yield "dpt", text(body, "destination.port")
    yield "dhost", text(body, "destination.domain")
    yield "proto", text(body, "network.transport").upper()
    yield "app", text(body, "network.protocol")
    yield "cat", text(body, "threat.tactic.name")
    yield "cnt", text(body, "aegis.count")
    yield "outcome", known["status"]
    yield "act", known["change"]
    yield "dvchost", known["sensors"]
    yield from _custom("cs1", "ATT&CK techniques", known["techniques"])
    yield from _custom("cs2", "Incident", text(body, "aegis.incident.id"))
    yield from _custom("cn1", "Revision", known["revision"])
    yield from _custom("cfp1", "Risk", known["risk"])
    yield "msg", known["reason"]


def _address(key: str, key6: str, label: str, shown: str) -> Iterator[tuple[str, str]]:
    """The dictionary's src and dst are IPv4 addresses; IPv6 has custom fields."""
    if ":" in shown:
        yield from _custom(key6, label, shown)
    else:
        yield key, shown


def _custom(key: str, label: str, shown: str) -> Iterator[tuple[str, str]]:
    if shown:
        yield f"{key}Label", label
        yield key, shown


def _milliseconds(body: Mapping[str, Any], dotted: str) -> str:
    """A time as milliseconds since the epoch."""
    try:
        return str(int(datetime.fromisoformat(str(value(body, dotted))).timestamp() * 1000))
    except ValueError:
        return ""
