"""Finds and explains alerts, and ranks hosts by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...decide.decider import STORED
from ...decide.investigate import Investigate
from ...decide.seen import document_values
from ...decide.severities import WORDS
from ..plan import Answer, Columns, Plan, Row, Rows, Step, Table, table
from ..reading import Reading
from ..scope import Scope
from ..where import at, predicate, sources

SHOWN = 20
GUIDANCE = Step("guidance", "what the rules in force say of how to investigate", "guidance")
COLUMNS: Columns = {
    "id": lambda d: at(d, "event.id", "")[:8],
    "severity": lambda d: WORDS.get(at(d, "event.severity"), ""),
    "risk": lambda d: round(at(d, "event.risk_score", 0)),
    "rule": lambda d: at(d, "rule.name"),
    "source": lambda d: at(d, "source.ip"),
    "destination": lambda d: at(d, "destination.domain") or at(d, "destination.ip"),
    "country": lambda d: at(d, "destination.geo.country_iso_code"),
    "first seen": lambda d: when(at(d, "aegis.first_seen")),
    "why": lambda d: at(d, "event.reason"),
}


def when(iso: str | None) -> str:
    """A time of a document for people."""
    return (iso or "")[:19].replace("T", " ")


def step(reading: Reading, scope: Scope, services: Mapping[str, Any], *, name: str = "alerts") -> Step:
    """The alerts that a question is about, the worst first."""
    where, values, said = ["status != 'withdrawn'"], list[Any](), list[str]()
    start, end = scope.alert_span(reading)
    for condition, value in (("last_us >= ?", start), ("first_us < ?", end)):
        if value is not None:
            where.append(condition)
            values.append(value)
    if severities := sorted({e.value for e in reading.all("severity")}):
        if "atleast" in reading.groups:
            severities = [s for s in WORDS if s >= severities[0]]
        where.append(f"severity IN ({', '.join('?' * len(severities))})")
        values += severities
    if status := reading.first("status"):
        where.append("status = ?")
        values.append(status)
    condition, meant = _found_as(reading)
    if condition:
        where.append(condition)
        values += meant
    if len(hosts := reading.all("host")) == 1:
        where.append("instr(document, ?) > 0")
        values.append(hosts[0].value)
    left = [
        str(e)
        for e in reading.all(
            "host", "net", "domain", "country", "as", "scope", "direction", "service", "protocol", "port", "sensor"
        )
    ]
    left += [str(e) for e in reading.all("technique", "tactic") if e.at not in {d.at for d in reading.all("detector")}]
    if left:
        said.append(f", of these the ones with {', '.join(dict.fromkeys(left))}")
    order = "severity DESC, score DESC, first_us, alert_id"
    sql = f"SELECT {STORED} FROM alerts\nWHERE {' AND '.join(where)}\nORDER BY {order}"
    return Step(
        name,
        f"alerts, the worst first{''.join(said)}",
        "state",
        sql,
        values,
        keep=predicate(reading, services),
        most=100_000,
    )


def _found_as(reading: Reading) -> tuple[str, list[str]]:
    """Rules by the words for them; what is a technique, too, counts by either."""
    parts, values = [], list[str]()
    for entity in reading.all("detector"):
        for rule in entity.value:
            parts.append("rule_id GLOB ?" if "*" in rule else "rule_id = ?")
            values.append(rule)
    twins = {e.at for e in reading.all("detector")}
    for entity in reading.all("technique", "tactic"):
        if entity.at in twins:
            parts.append("instr(document, ?) > 0")
            values.append(f'"{entity.value}"')
    return (f"({' OR '.join(parts)})" if parts else ""), values


def _countries() -> Step:
    sql = "SELECT count(*) FROM alerts\nWHERE instr(document, 'country_iso_code') > 0"
    return Step("placed", "whether any alert knows a country", "state", sql, (), ("alerts",))


def find(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """Alerts as a table; by host, where hosts are asked for."""
    steps = [step(reading, scope, services)]
    if reading.all("country", "as"):
        steps.append(_countries())
    return Plan(tuple(steps), lambda rows: _found(reading, rows))


def _found(reading: Reading, rows: Rows) -> Answer:
    found = by_risk(rows["alerts"])
    limit = reading.first("limit", SHOWN)
    if not found:
        placed = rows.get("placed")
        if placed is not None and not placed[0]["alerts"]:
            return Answer(f"No alert found. {NO_PLACES}", found=False)
        return Answer("No such alert is in this state.", found=False)
    tables = []
    if reading.groups & {"host", "who"} and not reading.all("host"):
        tables.append(_by_host(found, limit))
    tables.append(table("alerts", found[:limit], COLUMNS))
    more = f", the worst {limit} are shown" if len(found) > limit else ""
    return Answer(f"{summary(found)}{more}.", tuple(tables), see=("aegis-enrich alerts show ID tells all about one",))


NO_PLACES = (
    "No alert of this state knows a country or an AS: set geo.city (or geo.country) and geo.asn in the configuration"
    " and read the logs again"
)


def by_risk(docs: Sequence[Row]) -> list[Row]:
    return sorted(docs, key=lambda d: (-at(d, "event.risk_score", 0), at(d, "@timestamp", ""), at(d, "event.id", "")))


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}{'es' if word.endswith(('s', 'ch')) else 's'}"


def summary(found: Sequence[Row]) -> str:
    """How many of which severity, from whom, and the worst one."""
    by_severity = Counter(at(d, "event.severity") for d in found)
    split = ", ".join(f"{by_severity[s]} {WORDS[s]}" for s in sorted(WORDS, reverse=True) if by_severity[s])
    hosts = sorted({s for d in found for s in sources(d)})
    shown = f" ({', '.join(hosts)})" if len(hosts) <= 3 else ""
    verb = "is" if len(found) == 1 else "are"
    return f"There {verb} {counted(len(found), 'alert')} ({split}) from {counted(len(hosts), 'host')}{shown}"


def _by_host(found: Sequence[Row], limit: int) -> Table:
    groups: dict[str, list[Row]] = {}
    for doc in found:
        for host in sorted(sources(doc)) or [at(doc, "destination.ip", "none named")]:
            groups.setdefault(host, []).append(doc)
    ranked = sorted(groups.items(), key=lambda g: (-max(at(d, "event.risk_score", 0) for d in g[1]), g[0]))
    made = [
        {
            "host": host,
            "alerts": len(docs),
            "worst": WORDS.get(max(at(d, "event.severity", 0) for d in docs), ""),
            "risk": round(max(at(d, "event.risk_score", 0) for d in docs)),
            "found as": ", ".join(sorted({at(d, "rule.name", "") for d in docs})),
            "against": ", ".join(
                sorted({str(at(d, "destination.domain") or at(d, "destination.ip") or "") for d in docs} - {""})[:4]
            ),
            "first seen": when(min(at(d, "aegis.first_seen", "") for d in docs)),
            "last seen": when(max(at(d, "aegis.last_seen", "") for d in docs)),
        }
        for host, docs in ranked[:limit]
    ]
    return table("hosts", made, {k: k for k in made[0]})


def explain(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """One alert: that with the id, else the worst (or newest) of those that are meant."""

    return Plan((step(reading, scope, services), GUIDANCE), lambda rows: explained(reading, rows))


def explained(reading: Reading, rows: Rows) -> Answer:
    found = by_risk(rows["alerts"])
    if prefix := reading.first("id"):
        found = [d for d in found if at(d, "event.id", "").startswith(prefix)]
        if not found:
            return Answer(f"No alert's id begins with {prefix}.", found=False, see=("aegis-enrich alerts list",))
    if not found:
        return Answer("No such alert is in this state.", found=False)
    latest = "latest" in reading.groups
    doc = max(found, key=lambda d: at(d, "aegis.last_seen", "")) if latest else found[0]
    others = f" ({'the newest' if latest else 'the worst'} of {len(found)})" if len(found) > 1 else ""
    return Answer(
        f"{at(doc, 'message')}: {at(doc, 'event.reason')}{others}.",
        lines=tuple(story(doc, rows["guidance"])),
        see=(f"aegis-enrich alerts show {at(doc, 'event.id', '')[:8]}",),
    )


def story(doc: Row, rules: Sequence[Row]) -> list[str]:
    """What an alert says, and what its rule says of how to go on."""
    word = WORDS.get(at(doc, "event.severity"), "")
    lines = [
        f"{word}, risk {at(doc, 'event.risk_score', 0):.0f} of 100, {at(doc, 'aegis.status')};"
        f" id {at(doc, 'event.id')}",
        f"from {when(at(doc, 'aegis.first_seen'))} to {when(at(doc, 'aegis.last_seen'))} UTC,"
        f" seen by {', '.join(at(doc, 'aegis.sensors', []))}",
        at(doc, "rule.description", ""),
    ]
    for pair in at(doc, "aegis.attack", []):
        lines.append(f"ATT&CK: {pair['technique']['id']} {pair['technique']['name']} ({pair['tactic']['name']})")
    numbers = {k: v for k, v in sorted(at(doc, "aegis.evidence", {}).items()) if v not in (None, [], "")}
    lines.append("evidence: " + ", ".join(f"{k} {_short(v)}" for k, v in numbers.items()))
    lines += [f"it may be: {text}" for text in at(doc, "aegis.false_positives", [])]
    if incident := at(doc, "aegis.incident.id"):
        lines.append(f"part of incident {incident[:8]}")
    lines += investigation(doc, rules)
    return [line for line in lines if line]


def advice(doc: Row, rules: Sequence[Row]) -> Investigate | None:
    """What its rule says of how to investigate it, with its columns filled in."""
    rule = next((r for r in rules if r["id"] == at(doc, "rule.id")), None)
    told: Investigate | None = rule["investigate"] if rule else None
    return told.filled(document_values(doc)) if told else None


def investigation(doc: Row, rules: Sequence[Row]) -> list[str]:
    """The same as lines."""
    said = advice(doc, rules)
    if said is None:
        return []
    parts = (("would confirm it", said.confirm), ("would refute it", said.refute), ("to do", said.respond))
    return [f"{title}: {text}" for title, texts in parts for text in texts]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value[:5]))}{', …' if len(value) > 5 else ''}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def rank(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """Hosts by the risk of what they do, as `aegis-enrich hosts` reckons it."""
    start, _ = scope.alert_span(reading)
    sql = "SELECT document, status FROM alerts\nWHERE status != 'withdrawn' AND last_us >= ?"
    words = "the risk of each host that acts in an alert, by the incidents' formula"
    hosts = Step("hosts", words, "hosts", sql, () if start is None else (start,), start_us=start or 0)
    return Plan((hosts, step(reading, scope, services)), lambda rows: _ranked(reading, rows))


def _ranked(reading: Reading, rows: Rows) -> Answer:
    wanted = {at(d, "event.id") for d in rows["alerts"]}
    ranked = [r for r in rows["hosts"] if wanted & set(r["alerts"])]
    if not ranked:
        return Answer("No host acts in an alert here.", found=False)
    limit = reading.first("limit", SHOWN)
    first = ranked[0]
    columns: Columns = {
        "host": "host",
        "name": "name",
        "risk": lambda r: round(r["risk"]),
        "alerts": lambda r: len(r["alerts"]),
        "rules": "rules",
        "worst": "reason",
    }
    return Answer(
        f"{first['host']} has the greatest risk, {first['risk']:.0f} of 100 ({first['reason']});"
        f" {counted(len(ranked), 'host')} {'acts' if len(ranked) == 1 else 'act'} in alerts.",
        (table("hosts", ranked[:limit], columns),),
        see=("aegis-enrich hosts",),
    )
