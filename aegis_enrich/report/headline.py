"""The top of the page: what happened, in a sentence, a list of the worst, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ..correlate.alert import alert_of
from ..decide.severities import WORDS
from .clock import between, many, micros, stamp
from .contents import Contents, Document
from .health import is_of_health
from .incidents import cards, score
from .lanes import Lane, Mark, lanes
from .markup import NOTHING, Markup, join, tag
from .parts import anchor, severity_chip
from .stretch import SILENCE_US

CARDS = 5
LANES = 8


def headline(contents: Contents) -> Markup:
    """From the title to the picture of who did what when."""
    one = contents.incidents[0].document if contents.incident_count == 1 else None
    said = tag("div", tag("h1", _title(contents)), _chips(contents), _stages(one) if one else _said(contents))
    first = tag("div", score(one) if one else NOTHING, said, class_="lead")
    return tag("header", first, _worst(contents), _when(contents), id="top", class_="top")


def title(contents: Contents) -> str:
    """Of the document: what it is about, when."""
    when = "no rows"
    if contents.first_us is not None and contents.last_us is not None:
        when = between(contents.first_us, contents.last_us)
    return f"Network report, {when} UTC"


def _title(contents: Contents) -> str:
    if contents.incident_count == 1:
        return str(contents.incidents[0].document["message"])
    if contents.incident_count:
        return f"{contents.incident_count:,} incidents, the worst of risk {_risk(contents.incidents[0].document)}"
    if contents.alert_count:
        return f"No incident, {many(contents.alert_count, 'alert')}"
    return "Nothing found" if contents.first_us is not None else "No rows"


def _risk(document: Document) -> str:
    return f"{document['event']['risk_score']:.0f} of 100"


def _chips(contents: Contents) -> Markup:
    counts = [
        severity_chip(s, f"{n:,} {WORDS[s]}")
        for s, n in sorted(contents.severities.items(), reverse=True)
        if s in WORDS
    ]
    span = ""
    if contents.first_us is not None and contents.last_us is not None:
        span = f"{between(contents.first_us, contents.last_us)} UTC"
    rows = f"{many(contents.rows, 'row')}{' in the whole state' if contents.of_span else ''}"
    facts = [tag("span", t) for t in (span, rows, ", ".join(contents.sensors)) if t]
    return tag("p", join([*counts, *facts], " "), class_="facts")


def _said(contents: Contents) -> Markup:
    """What an empty top would leave open."""
    if contents.incident_count:
        return NOTHING
    if contents.alert_count:
        if all(is_of_health(contents, a) for a in contents.alerts):
            return tag("p", "The alerts tell of the state of the network or its sensor, none of an attack.")
        return tag("p", "The alerts below stand each for itself: none is grave enough to make an incident.")
    if contents.first_us is None:
        where = "of this time" if contents.of_span else "in this state"
        return tag("p", f"There are no rows {where}, so nothing could be judged.")
    logs = ", ".join(sorted({log.name for log in contents.logs}))
    rows = "rows of this time" if contents.of_span else many(contents.rows, "row")
    quiet = f"All quiet: {rows} of {logs}, and nothing in them to which a rule objects."
    but = "A sensor that sees little finds little: network health, below, tells what it saw and what it missed."
    return join([tag("p", quiet, _watching(contents)), tag("p", but, class_="quiet")])


def _watching(contents: Contents) -> str:
    rules = contents.reading.rules
    return f" {len(rules.detectors)} detectors and {len(rules.rows)} row rules looked." if rules else ""


def _stages(document: Document) -> Markup:
    """The one incident's way, as a link to its story."""
    way = " → ".join(name for name, _ in groupby(s["name"] for s in document["aegis"]["incident"]["stages"]))
    story = tag("a", "the story", href=anchor("i", document))
    return tag("p", way, f" · {document['aegis']['confidence'] * 100:.0f} % sure · ", story)


def _worst(contents: Contents) -> Markup:
    """The worst of several."""
    if len(contents.incidents) < 2:
        return NOTHING
    left = contents.incident_count - CARDS
    more = (
        tag("p", tag("a", f"and {many(left, 'further incident')}", href="#incidents"), class_="quiet")
        if left > 0
        else NOTHING
    )
    return join([cards(contents.incidents, CARDS), more])


def _when(contents: Contents) -> Markup:
    """Who did what when: a lane for each host that acts, those with the worst alerts."""
    attacks = [d for d in contents.alerts if not is_of_health(contents, d)]
    near = _together(attacks)
    by_actor: dict[str, list[Document]] = {}
    for document in near:
        by_actor.setdefault(alert_of(document).subject or document["rule"]["name"], []).append(document)
    if not by_actor:
        return NOTHING
    worst = sorted(by_actor, key=lambda a: (-by_actor[a][0]["event"]["risk_score"], a))[:LANES]
    rows = [_lane(a, by_actor[a]) for a in sorted(worst, key=lambda a: (_first(by_actor[a]), a))]
    said = "; ".join(
        f"{stamp(micros(d['aegis']['first_seen']))} {a}: {d['rule']['name']}" for a in worst for d in by_actor[a][:5]
    )
    return lanes("Who did what when (UTC)", said, rows, _left_out(len(by_actor) - len(worst), len(attacks) - len(near)))


def _together(documents: Sequence[Document]) -> list[Document]:
    """Those without a long silence between them and the worst, which comes first."""
    spans = sorted((micros(d["aegis"]["first_seen"]), micros(d["aegis"]["last_seen"])) for d in documents)
    runs: list[list[int]] = []
    for first, last in spans:
        if not runs or first - runs[-1][1] > SILENCE_US:
            runs.append([first, last])
        runs[-1][1] = max(runs[-1][1], last)
    at = micros(documents[0]["aegis"]["first_seen"]) if documents else 0
    low, high = next((run for run in runs if run[0] <= at <= run[1]), (0, 0))
    return [d for d in documents if low <= micros(d["aegis"]["first_seen"]) <= high]


def _left_out(hosts: int, alerts: int) -> str:
    said = [f"{many(hosts, 'further host')} with lesser alerts"] if hosts else []
    said += [f"{many(alerts, 'alert')} of other times"] if alerts else []
    return f"Not drawn: {' and '.join(said)}." if said else ""


def _first(documents: list[Document]) -> int:
    return min(micros(d["aegis"]["first_seen"]) for d in documents)


def _lane(actor: str, documents: list[Document]) -> Lane:
    hosts = alert_of(documents[0]).hosts
    host = hosts.get(actor)
    about = ", ".join(t for t in (host.name, "inside" if host.internal else "outside") if t) if host else ""
    return Lane(actor, about, tuple(_mark(d) for d in documents))


def _mark(document: Document) -> Mark:
    first, last = micros(document["aegis"]["first_seen"]), micros(document["aegis"]["last_seen"])
    tip = f"{between(first, last)} {document['event']['reason']}"
    return Mark(first, last, document["event"]["severity"], document["rule"]["name"], tip)
