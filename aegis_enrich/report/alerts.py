"""The section on alerts: a table, the worst first, that a few lines of script can filter and that needs none."""

from __future__ import annotations

from ..decide.severities import WORDS
from .clock import between, many, micros
from .contents import Contents, Document
from .markup import NOTHING, Markup, join, tag
from .parts import at, ident, section, severity_chip

BUDGET = 900_000  # bytes of rows, so that the page can be sent by mail
COLUMNS = ("severity", "when (UTC)", "rule", "source", "destination", "why", "ATT&CK")


def alerts(contents: Contents) -> Markup:
    """The section; nothing where there is no alert."""
    if not contents.alert_count:
        return NOTHING
    rows = _rows(contents)
    cut = contents.alert_count - len(rows)
    shown = f"The {len(rows):,} worst of {many(contents.alert_count, 'alert')}" if cut else many(len(rows), "alert")
    note = f"{shown}, the worst first."
    if cut:
        note += f" {cut:,} are left out to keep the page small: `aegis-enrich alerts list` has them all."
    head = tag("tr", *(tag("th", name, scope="col") for name in COLUMNS))
    table = tag("table", tag("thead", head), tag("tbody", *rows), id="alert-table", class_="stack")
    return section(
        "alerts", "Alerts", tag("p", note, class_="quiet"), _filter(contents), tag("div", table, class_="scroll")
    )


def _rows(contents: Contents) -> list[Markup]:
    incidents = {t.document["event"]["id"] for t in contents.incidents}
    rows: list[Markup] = []
    left = BUDGET
    for document in contents.alerts:
        row = _row(document, incidents)
        left -= len(row.encode())
        if left < 0:
            break
        rows.append(row)
    return rows


def _filter(contents: Contents) -> Markup:
    """Shown by the script; without it there is nothing to press."""
    rules = sorted({(d["rule"]["id"], d["rule"]["name"]) for d in contents.alerts})
    levels = [s for s in sorted(WORDS, reverse=True) if contents.severities.get(s)]
    boxes = [tag("label", tag("input", type="checkbox", value=s, checked=True), severity_chip(s)) for s in levels]
    options = [tag("option", "every rule", value=""), *(tag("option", name, value=rule) for rule, name in rules)]
    return tag(
        "form",
        tag("label", "Find ", tag("input", type="search", id="find", placeholder="address, name, word")),
        tag("label", "Rule ", tag("select", *options, id="rule")),
        tag("span", *boxes, class_="levels"),
        tag("output", id="found"),
        id="filter",
        hidden=True,
    )


def _row(doc: Document, incidents: set[str]) -> Markup:
    aegis, event = doc["aegis"], doc["event"]
    return tag(
        "tr",
        tag("td", severity_chip(event["severity"]), tag("small", f"risk {event['risk_score']:.0f}")),
        tag("td", between(micros(aegis["first_seen"]), micros(aegis["last_seen"])), class_="when"),
        tag("td", doc["rule"]["name"], _told_of(doc, incidents)),
        tag("td", _end(doc, "source"), class_="address from"),
        tag("td", _end(doc, "destination"), class_="address to"),
        tag("td", event["reason"], _uids(aegis["uids"]), class_="why"),
        tag("td", join(_techniques(doc), " "), class_="techniques"),
        id=ident("a", event["id"]),
        data_severity=event["severity"],
        data_rule=doc["rule"]["id"],
    )


def _told_of(doc: Document, incidents: set[str]) -> Markup:
    """The incident that an alert belongs to, and the alert that tells of the same act."""
    incident = str(at(doc, "aegis.incident.id"))
    said = []
    if incident in incidents:
        said.append(tag("a", f"incident {incident[:8]}", href=f"#{ident('i', incident)}"))
    if other := at(doc, "aegis.lead"):
        said.append(tag("a", "the same act", href=f"#{ident('a', str(other))}"))
    count = aegis_count(doc)
    return tag("small", join([*said, count] if count else said, " · "))


def aegis_count(doc: Document) -> str:
    """How many windows or rows an alert is made of, where more than one."""
    number = int(at(doc, "aegis.count", 1))
    return f"{number:,} times" if number > 1 else ""


def _end(doc: Document, side: str) -> Markup:
    """One end: its address, its name, port, place."""
    address, name, port = at(doc, f"{side}.ip"), at(doc, f"{side}.domain"), at(doc, f"{side}.port")
    places = (f"aegis.{side}.asset.name", f"{side}.as.organization.name", f"{side}.geo.country_iso_code")
    place = [at(doc, path) for path in places]
    about = ", ".join(str(p) for p in (name if address else "", f"port {port}" if port else "", *place) if p)
    return join([address or name, tag("small", about) if about else NOTHING])


def _uids(uids: list[str], most: int = 3) -> Markup:
    if not uids:
        return NOTHING
    more = f" and {len(uids) - most} more" if len(uids) > most else ""
    return tag("span", f"{', '.join(uids[:most])}{more}", class_="uids")


def _techniques(doc: Document) -> list[Markup]:
    pairs = at(doc, "aegis.attack", [])
    return [tag("code", p["technique"]["id"], title=f"{p['technique']['name']} ({p['tactic']['name']})") for p in pairs]
