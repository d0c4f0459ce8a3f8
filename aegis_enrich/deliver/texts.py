"""Fields of a document as text that people and programs may be shown: nothing in it is obeyed by either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plugin import Document
from ..visible import visible
from .choice import SEVERITIES

CHARACTERS = 1_000  # of one field
VALUES = 20  # of a list
_WORDS = {number: word for word, number in SEVERITIES.items()}


def value(body: Mapping[str, Any], dotted: str) -> Any:
    """A field by its dotted name; None where there is none. Of a list of objects, the values of each."""
    here: Any = body
    for key in dotted.split("."):
        if isinstance(here, list):
            here = [each[key] for each in here if isinstance(each, Mapping) and key in each]
        elif isinstance(here, Mapping) and key in here:
            here = here[key]
        else:
            return None
    return here


def text(body: Mapping[str, Any], dotted: str, most: int = CHARACTERS) -> str:
    """The same as one line of text, what is not visible written out; "" where there is none."""
    return plain(value(body, dotted), most)


def plain(found: Any, most: int = CHARACTERS) -> str:
    """A value as one line of text."""
    if found is None:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, list):
        shown = ", ".join(plain(each, most) for each in found[:VALUES])
        return visible(shown + (f" and {len(found) - VALUES} more" if len(found) > VALUES else ""), most)
    return visible(str(found), most)


def severity(body: Mapping[str, Any]) -> str:
    """Its word: low, medium, high, critical."""
    found = value(body, "event.severity")
    return _WORDS.get(found, str(found)) if isinstance(found, int) else ""


def derived(document: Document, event: str) -> dict[str, str]:
    """What templates may name beside the document's own fields."""
    body = document.body
    techniques = value(body, "threat.technique.subtechnique.id") or value(body, "threat.technique.id")
    return {
        "id": document.id,
        "kind": document.kind,
        "revision": str(document.revision),
        "delivery": f"{document.kind}-{document.id}-{document.revision}",
        "change": event,
        "title": text(body, "message"),
        "reason": text(body, "event.reason"),
        "severity": severity(body),
        "status": text(body, "aegis.status"),
        "risk": plain(value(body, "event.risk_score")),
        "techniques": plain(techniques),
        "sensors": text(body, "observer.name"),
    }
