"""The section on hosts: who moved most, and whose doings are worst."""

from __future__ import annotations

from ..correlate.hosts import Ranked
from ..decide.attack import attack
from .bars import talkers
from .clock import many
from .contents import Contents
from .markup import NOTHING, Markup, join, tag
from .parts import at, section, severity_chip

RANKED = 15


def hosts(contents: Contents) -> Markup:
    """The section; nothing where no row and no alert names a host."""
    ranked, moved = _ranked(contents), _talkers(contents)
    return section("hosts", "Hosts", ranked, moved) if ranked or moved else NOTHING


def severities(contents: Contents) -> dict[str, int]:
    """The worst alert that a host is in, as source or destination."""
    worst: dict[str, int] = {}
    for alert in contents.alerts:
        for side in ("source", "destination"):
            if address := at(alert, f"{side}.ip"):
                worst[address] = max(worst.get(address, 0), alert["event"]["severity"])
    return worst


def names(contents: Contents) -> dict[str, str]:
    """What the site calls the hosts that act."""
    return {r.host.address: r.host.name for r in contents.hosts if r.host.name}


def _talkers(contents: Contents) -> Markup:
    if not contents.talkers:
        return NOTHING
    return talkers(contents.talkers, severities(contents), names(contents))


def _ranked(contents: Contents) -> Markup:
    if not contents.hosts:
        return NOTHING
    head = tag("tr", *(tag("th", h, scope="col") for h in ("risk", "host", "alerts", "tactics", "worst")))
    rows = [_row(r) for r in contents.hosts[:RANKED]]
    left = len(contents.hosts) - len(rows)
    more = tag(
        "p", f"{many(left, 'further host')} acting in alerts: `aegis-enrich hosts` ranks them all.", class_="quiet"
    )
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="stack"), class_="scroll")
    return join([tag("h3", "Hosts by the risk of what they do"), table, more if left else NOTHING])


def _row(ranked: Ranked) -> Markup:
    host = ranked.host
    critical = f"{host.criticality} asset" if host.criticality in ("high", "critical") else ""
    about = ", ".join(
        t for t in (host.name, "inside" if host.internal else "outside", critical, host.organization) if t
    )
    return tag(
        "tr",
        tag("td", severity_chip(ranked.severity, f"{ranked.risk:.0f}")),
        tag("td", host.address, tag("small", about), class_="address"),
        tag("td", len(ranked.alerts), class_="number"),
        tag("td", ", ".join(attack().tactics.get(t, t) for t in ranked.tactics)),
        tag("td", ranked.reason, class_="why"),
    )
