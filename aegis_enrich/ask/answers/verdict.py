"""What speaks for and against a host, network or name; the verdict is the analyst's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...decide.severities import WORDS
from ..plan import Answer, Plan, Rows, Step, table
from ..reading import Reading
from ..scope import Scope
from ..times import said
from ..where import Where, at, attack_ids, sources
from . import alerts, incidents
from .alerts import SHOWN, counted, when

MANY = 5  # clients that make a server common, if they are half of all (as beaconing's rule has it)
ACTING = {"attacker", "suspect", "infrastructure"}  # roles of an incident that speak against a host
OUTWARD = {"TA0011", "TA0010"}  # command and control, exfiltration: the far end is the controller or the drop


def plan(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """Alerts, incidents, who calls it, by what names, and the lists that it is on."""
    named = bool(reading.all("domain"))
    start, end, note = scope.span(reading, ("conn", "dns", "ssl", "http"))
    steps = [incidents.step(reading, scope, services), alerts.step(reading, scope, services)]
    steps += [_use_of_name(reading, start, end)] if named else [_use(reading, start, end), _names(reading, start, end)]
    steps.append(_lists(reading, start, end, named=named))
    return Plan(tuple(steps), lambda rows: _told(reading, rows), (note,) if note else ())


def _use(reading: Reading, start: int, end: int) -> Step:
    where = Where()
    resp, orig = (where.ends(reading.all("host", "net"), side) for side in ("resp", "orig"))
    sql = f"""SELECT count(*) FILTER ({resp}) AS to_it, count(*) FILTER ({orig}) AS by_it,
       count(DISTINCT orig_h) FILTER ({resp}) AS clients, count(DISTINCT orig_h) AS all_clients,
       count(DISTINCT resp_h) FILTER ({orig}) AS servers,
       count(*) FILTER (({orig}) AND conn_state IN ('S0', 'REJ', 'RSTOS0', 'SH')) AS failed,
       min(ts_us) FILTER (({resp}) OR ({orig})) AS first_us, max(end_us) FILTER (({resp}) OR ({orig})) AS last_us,
       min(CASE WHEN {resp} THEN resp_country WHEN {orig} THEN orig_country END) AS country,
       min(CASE WHEN {resp} THEN resp_as_org WHEN {orig} THEN orig_as_org END) AS as_org,
       min(CASE WHEN {resp} THEN resp_asset WHEN {orig} THEN orig_asset END) AS asset
FROM conn"""
    return Step("use", "how many call it and whom it calls", "lake", sql, where.values, (), ("conn",), start, end)


def _names(reading: Reading, start: int, end: int) -> Step:
    where = Where()
    resp = where.ends(reading.all("host", "net"), "resp")
    hosts = [where.value(e.value) for e in reading.all("host")]
    answers = " OR ".join(f"list_contains(answers, {h})" for h in hosts) or "FALSE"
    sql = f"""SELECT name, how, count(*) AS times, count(DISTINCT orig_h) AS clients
FROM (
  SELECT lower(server_name) AS name, 'TLS' AS how, orig_h FROM ssl WHERE {resp}
  UNION ALL SELECT lower(host), 'HTTP', orig_h FROM http WHERE {resp}
  UNION ALL SELECT lower(query), 'DNS answer', orig_h FROM dns WHERE {answers}
)
WHERE name IS NOT NULL
GROUP BY name, how
ORDER BY times DESC, name, how
LIMIT 50"""
    order = (("times", True),)
    return Step(
        "names",
        "by what names it is called",
        "lake",
        sql,
        where.values,
        (),
        ("ssl", "http", "dns"),
        start,
        end,
        order,
        50,
    )


def _use_of_name(reading: Reading, start: int, end: int) -> Step:
    where = Where()
    asked = reading.all("domain")
    by_dns, by_tls, by_http = (where.below(c, asked) for c in ("query", "server_name", "host"))
    sql = f"""SELECT count(*) FILTER (how = 'dns') AS lookups, count(*) FILTER (how != 'dns') AS to_it,
       count(DISTINCT orig_h) AS clients, (SELECT count(DISTINCT orig_h) FROM (
         SELECT orig_h FROM dns UNION ALL SELECT orig_h FROM ssl UNION ALL SELECT orig_h FROM http
       )) AS all_clients,
       count(DISTINCT name) AS names, count(*) FILTER (rcode = 'NXDOMAIN') AS nxdomain,
       min(ts_us) AS first_us, max(ts_us) AS last_us
FROM (
  SELECT orig_h, 'dns' AS how, lower(query) AS name, rcode_name AS rcode, ts_us FROM dns WHERE {by_dns}
  UNION ALL SELECT orig_h, 'tls', lower(server_name), NULL, ts_us FROM ssl WHERE {by_tls}
  UNION ALL SELECT orig_h, 'http', lower(host), NULL, ts_us FROM http WHERE {by_http}
)"""
    return Step(
        "use", "how many ask for it and call it", "lake", sql, where.values, (), ("dns", "ssl", "http"), start, end
    )


def _lists(reading: Reading, start: int, end: int, *, named: bool) -> Step:
    where = Where()
    meant = where.below("query", reading.all("domain")) if named else where.either(reading.all("host", "net"))
    view = "dns" if named else "conn"
    sql = f"""SELECT intel_indicator AS indicator, intel_source AS list, count(*) AS times
FROM {view}
WHERE intel_indicator IS NOT NULL AND {meant}
GROUP BY intel_indicator, intel_source
ORDER BY times DESC, indicator, list
LIMIT 50"""
    return Step(
        "lists",
        "the intel lists that it is on",
        "lake",
        sql,
        where.values,
        (),
        (view,),
        start,
        end,
        (("times", True),),
        50,
    )


def _told(reading: Reading, rows: Rows) -> Answer:
    what = ", ".join(e.label for e in reading.all("host", "net", "domain"))
    said_of = list(_of_documents(reading, rows)) + list(_of_rows(rows))
    against = [text for side, text in said_of if side == "against"]
    targeted = [text for side, text in said_of if side == "attacked"]
    if not said_of:
        return Answer(f"Nothing is known of {what}: it is in no alert and no row.", found=False)
    if against:
        things = "1 thing speaks" if len(against) == 1 else f"{len(against)} things speak"
        verdict = f"{things} against {what}: {against[0]}"
    elif targeted:
        verdict = f"{what} was attacked, and nothing here says that it attacks or controls others: {targeted[0]}"
    else:
        verdict = f"Nothing here speaks against {what}, which proves nothing of what the sensor did not see"
    tables = [
        table(
            "grounds", [{"speaks": side, "what": text} for side, text in said_of], {"speaks": "speaks", "what": "what"}
        )
    ]
    if rows["alerts"]:
        tables.append(table("alerts", alerts.by_risk(rows["alerts"])[:SHOWN], alerts.COLUMNS))
    return Answer(f"{verdict}.", tuple(tables))


def _of_documents(reading: Reading, rows: Rows) -> Iterator[tuple[str, str]]:
    meant = {str(e.value) for e in reading.all("host", "domain")}
    for doc in rows["incidents"][:SHOWN]:
        roles = [h.get("role") for h in at(doc, "aegis.incident.hosts", []) if {h.get("ip"), h.get("name")} & meant]
        side = "against" if set(roles) & ACTING else "attacked" if roles else "neither"
        yield side, f"{'/'.join(filter(None, roles)) or 'named'} in the incident: {at(doc, 'message')}"
    for doc in alerts.by_risk(rows["alerts"])[:SHOWN]:
        acts = bool(sources(doc) & meant) or bool(reading.all("net"))
        side = "against" if acts or attack_ids(doc) & OUTWARD else "attacked"
        word = WORDS.get(at(doc, "event.severity"), "")
        yield (
            side,
            f"{word} alert, {at(doc, 'rule.name')}: {at(doc, 'event.reason')} ({when(at(doc, 'aegis.first_seen'))})",
        )


def _of_rows(rows: Rows) -> Iterator[tuple[str, str]]:
    for row in rows["lists"]:
        yield "against", f"on the list {row['list']} as {row['indicator']} ({row['times']:,} rows)"
    for row in rows["use"]:
        if not row.get("first_us"):
            continue
        seen = f"seen from {said(row['first_us'])} to {said(row['last_us'])}"
        clients, every = row.get("clients") or 0, row.get("all_clients") or 0
        if clients:
            common = clients >= MANY and 2 * clients >= every
            yield ("for" if common else "neither"), f"{clients} of {every} clients use it, {seen}"
        if row.get("by_it"):
            failed = row["failed"] / row["by_it"]
            to = counted(row["servers"], "host")
            yield "neither", f"{row['by_it']:,} connections of its own to {to}, {failed:.0%} unanswered or refused"
        if row.get("nxdomain"):
            yield "neither", f"{row['nxdomain']:,} of its {row['lookups']:,} look-ups found no such name"
        facts = [
            f"{k.replace('_org', '').upper() if k == 'as_org' else k} {row[k]}"
            for k in ("country", "as_org")
            if row.get(k)
        ]
        if facts:
            yield "neither", ", ".join(facts)
        if row.get("asset"):
            yield "for", f"an asset of yours: {row['asset']}"
    for row in rows.get("names", [])[:10]:
        often = f"{counted(row['times'], 'time')} by {counted(row['clients'], 'client')}"
        yield "neither", f"called {row['name']} ({row['how']}, {often})"
