"""Pieces that several sections of the page are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..decide.severities import WORDS
from .markup import NOTHING, Markup, tag

Document = Mapping[str, Any]


def section(ident: str, title: str, *children: object) -> Markup:
    return tag("section", tag("h2", title), *children, id=ident)


def severity_chip(severity: int, text: str = "") -> Markup:
    """A severity in its colour and its word."""
    return tag("span", text or WORDS.get(severity, severity), class_=f"chip s{severity}")


def anchor(kind: str, document: Document) -> str:
    """The link to an alert (`a`) or incident (`i`) of this page."""
    return f"#{ident(kind, document['event']['id'])}"


def ident(kind: str, written: str) -> str:
    """The id of an element; only of characters that ids are made of."""
    return f"{kind}-{''.join(c for c in written if c.isalnum())[:12]}"


def bullets(title: str, sentences: Sequence[object], class_: str = "") -> Markup:
    """A list under a small title; nothing where there is none."""
    if not sentences:
        return NOTHING
    return tag("div", tag("h4", title), tag("ul", *(tag("li", s) for s in sentences)), class_=class_ or None)


def at(document: Document, dotted: str, default: Any = "") -> Any:
    """A field of a nested document by its dotted name; `default` where it is not there or null."""
    here: Any = document
    for key in dotted.split("."):
        if not isinstance(here, Mapping) or here.get(key) is None:
            return default
        here = here[key]
    return here
