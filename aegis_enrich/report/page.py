"""The whole page: one file that loads nothing, allows nothing but its own style and script, and says the same twice."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from .alerts import alerts
from .beacons import beacons
from .contents import Contents
from .facts import facts
from .headline import headline, title
from .health import health
from .hosts import hosts
from .incidents import incidents
from .markup import Markup, tag
from .matrix import matrix
from .network import arrowheads

SECTIONS = (
    ("incidents", "Incidents", incidents),
    ("beacons", "Beacons", beacons),
    ("hosts", "Hosts", hosts),
    ("attack", "ATT&CK", matrix),
    ("health", "Network health", health),
    ("alerts", "Alerts", alerts),
    ("facts", "What this rests on", facts),
)


def page(contents: Contents) -> str:
    """HTML of what was read: a function of the state and the rules, without a clock."""
    made = [(ident, name, make(contents)) for ident, name, make in SECTIONS]
    links = [tag("a", name, href=f"#{ident}") for ident, name, markup in made if markup]
    body = tag(
        "body",
        arrowheads(),
        tag("nav", tag("a", "AegisEnrich report", href="#top", class_="brand"), *links, aria_label="Sections"),
        tag("main", headline(contents), *(markup for _, _, markup in made)),
        tag("script", _own("page.js")),
    )
    return f"<!DOCTYPE html>\n{tag('html', _head(contents), body, lang='en')}\n"


def _head(contents: Contents) -> Markup:
    style, script = _own("page.css"), _own("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title(contents)),
        tag("style", style),
    )


@cache
def _own(name: str) -> Markup:
    """A file beside this one, as it stands in the page."""
    return Markup((files(__package__) / name).read_text(encoding="utf-8"))


def _hash(text: str) -> Markup:
    """As a policy names an inline style or script."""
    return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
