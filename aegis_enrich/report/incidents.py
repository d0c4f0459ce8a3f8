"""The section on incidents: the worst told in full, the rest as a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..correlate.alert import Alert, alert_of
from ..correlate.story import Story
from ..decide.severities import WORDS
from .clock import between, many, micros, stamp, time_of_day
from .contents import Contents, Document, Told
from .lanes import Lane, Mark, lanes
from .markup import NOTHING, Markup, join, tag
from .network import network
from .parts import anchor, bullets, ident, section, severity_chip

SENTENCES, FOLDED = 8, 40  # of a stage that are shown at once, and on demand
BUDGET = 600_000  # bytes of stories, so that the page can be sent by mail; what follows is a line each
_UIDS = re.compile(r"^(.*) \[([^\[\]]+)\]$", re.DOTALL)


def incidents(contents: Contents) -> Markup:
    """The section; nothing where there is no incident."""
    if not contents.incidents:
        return NOTHING
    alone = contents.incident_count == 1  # the picture at the top of the page is its own
    known = {d["event"]["id"]: alert_of(d) for d in contents.alerts}
    told: list[Markup] = []
    left = BUDGET
    for one in contents.incidents:
        if one.story is None or left < 0:
            break
        told.append(_told(one.document, one.story, alone, known))
        left -= len(told[-1].encode())
    return section("incidents", "Incidents", *told, _rest(contents, len(told)))


def _told(doc: Document, story: Story, alone: bool, known: Mapping[str, Alert]) -> Markup:
    """An incident from its summary to what to do next."""
    incident = doc["aegis"]["incident"]
    severity = doc["event"]["severity"]
    head = tag(
        "header",
        score(doc),
        tag("div", tag("h3", story.title), tag("p", story.summary), _facts(doc)),
    )
    inside = [
        bullets("What to do next", story.respond, "next"),
        bullets("What would confirm it", story.confirm),
        bullets("What would refute it", story.refute),
    ]
    why = [bullets("How sure", story.sure), bullets("Why this risk", story.risk), bullets("Triage", story.triage)]
    return tag(
        "article",
        head,
        _stages(incident) if len(incident["stages"]) > 1 and not alone else NOTHING,
        network(incident, known),
        tag("h4", "The story"),
        tag("ol", *(_chapter(n, *chapter) for n, chapter in enumerate(story.chapters)), class_="story"),
        tag("div", *inside, class_="columns"),
        tag("details", tag("summary", "How sure, and why this risk"), tag("div", *why, class_="columns")),
        id=ident("i", doc["event"]["id"]),
        class_=f"incident edge{severity}",
    )


def score(doc: Document) -> Markup:
    """The risk as a number in its colour."""
    number = tag("b", f"{doc['event']['risk_score']:.0f}")
    return tag("div", number, tag("small", "risk"), class_=f"score s{doc['event']['severity']}")


def _facts(doc: Document) -> Markup:
    aegis = doc["aegis"]
    triage = aegis.get("triage")
    facts = [
        severity_chip(doc["event"]["severity"]),
        tag("span", f"{aegis['confidence'] * 100:.0f} % sure", class_="chip"),
        tag("span", many(aegis["alert_count"], "alert"), class_="chip"),
        *(tag("span", s["name"], class_="chip") for s in aegis["incident"]["sequences"]),
        tag("span", f"marked {triage['status']}", class_="chip") if triage else NOTHING,
        tag("code", doc["event"]["id"][:8]),
    ]
    return tag("p", join(facts, " "), class_="facts")


def _stages(incident: Mapping[str, Any]) -> Markup:
    """What followed what."""
    by_id = {a["id"]: a for a in incident["alerts"]}
    rows = []
    for stage in incident["stages"]:
        marks = tuple(_mark(by_id[i]) for i in stage["alerts"] if i in by_id)
        if marks:
            rows.append(
                Lane(stage["name"], f"{time_of_day(micros(stage['first_seen']))}  {', '.join(stage['actors'])}", marks)
            )
    said = "; ".join(
        f"{stamp(micros(s['first_seen']))} {s['name']} by {', '.join(s['actors'])}" for s in incident["stages"]
    )
    return lanes("Stages in time (UTC)", said, rows) if rows else NOTHING


def _mark(alert: Mapping[str, Any]) -> Mark:
    first, last = micros(alert["first_seen"]), micros(alert["last_seen"])
    return Mark(first, last, alert["severity"], alert["name"], f"{between(first, last)} {alert['reason']}")


def _chapter(number: int, heading: str, sentences: Sequence[str]) -> Markup:
    """A stage; but for the first its first sentence leads over to it."""
    when, _, what = heading.partition("  ")
    word, _, tactic = what.removesuffix(")").partition(" (")
    named = f"{word[:1].upper()}{word[1:]}"
    aside = tag("small", tactic) if tactic and tactic.lower() != word.lower() else NOTHING
    over = tag("span", sentences[0], class_="over") if number and sentences else NOTHING
    title = tag("h5", join((p for p in (tag("time", when), named, aside, over) if p), " "))
    told = [tag("p", _sentence(s)) for s in sentences[bool(number) :]]
    return tag("li", title, *told[:SENTENCES], _folded(told[SENTENCES:]))


def _folded(told: Sequence[Markup]) -> Markup:
    """The further sentences of a stage, as far as a reader may want them."""
    if not told:
        return NOTHING
    cut = many(max(len(told) - FOLDED, 0), "sentence")
    last = tag("p", f"{cut} more are left out; the table of alerts goes on.", class_="quiet")
    more = tag("summary", f"{many(len(told), 'more sentence')}")
    return tag("details", more, *told[:FOLDED], last if len(told) > FOLDED else NOTHING)


def _sentence(text: str) -> Markup:
    """A sentence with its rows' uids apart."""
    found = _UIDS.match(text)
    return join([found[1], " ", tag("span", found[2], class_="uids")]) if found else join([text])


def _rest(contents: Contents, told: int) -> Markup:
    """The incidents that are not told."""
    rest = contents.incidents[told:]
    if not rest:
        return NOTHING
    cut = contents.incident_count - len(contents.incidents)
    rows = [
        tag(
            "tr",
            tag("td", severity_chip(d["event"]["severity"], f"{d['event']['risk_score']:.0f}")),
            tag("td", between(micros(d["aegis"]["first_seen"]), micros(d["aegis"]["last_seen"])), class_="when"),
            tag("td", d["message"]),
            tag("td", d["aegis"]["alert_count"], class_="number"),
            id=ident("i", d["event"]["id"]),
        )
        for d in (t.document for t in rest)
    ]
    head = tag("tr", *(tag("th", h, scope="col") for h in ("risk", "when (UTC)", "what", "alerts")))
    more = tag("p", f"{many(cut, 'incident')} of less risk are left out.", class_="quiet") if cut else NOTHING
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="stack"), class_="scroll")
    return join([tag("h3", "Further incidents"), table, more])


def cards(told: Sequence[Told], most: int) -> Markup:
    """The worst incidents in a line each, for the top of the page."""
    return tag("ol", *(_card(t.document) for t in told[:most]), class_="cards")


def _card(doc: Document) -> Markup:
    severity, aegis = doc["event"]["severity"], doc["aegis"]
    when = between(micros(aegis["first_seen"]), micros(aegis["last_seen"]))
    stages = " → ".join(s["name"] for s in aegis["incident"]["stages"][:8])
    sure = f"{WORDS.get(severity, '')}, {aegis['confidence'] * 100:.0f} % sure"
    about = f"{when} · {sure} · {many(aegis['alert_count'], 'alert')}"
    return tag(
        "li",
        tag("span", f"{doc['event']['risk_score']:.0f}", class_=f"score s{severity}"),
        tag(
            "a",
            tag("b", doc["message"]),
            tag("small", about),
            tag("small", stages, class_="stages"),
            href=anchor("i", doc),
        ),
    )
