"""Who moves the most, and who talked to whom: aggregates over connections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..entities import Entity
from ..plan import Answer, Columns, Plan, Row, Rows, Step, table
from ..reading import Reading
from ..scope import Scope
from ..times import said
from ..where import Where
from .alerts import counted

SHOWN = 20
TIMES: Columns = {"first": lambda r: said(r["first_us"]), "last": lambda r: said(r["last_us"])}
_SUMS = """count(*) AS connections,
       coalesce(sum(orig_ip_bytes), sum(orig_bytes), 0)::BIGINT AS bytes_out,
       coalesce(sum(resp_ip_bytes), sum(resp_bytes), 0)::BIGINT AS bytes_in,
       coalesce(sum(orig_pkts), 0)::BIGINT + coalesce(sum(resp_pkts), 0)::BIGINT AS packets,
       min(ts_us) AS first_us, max(end_us) AS last_us"""

# What talkers are counted by: word -> how rows are told apart, as SQL over conn.
BY: Mapping[str, str] = {
    "host": "orig_h",
    "server": "resp_h",
    "port": "proto || '/' || resp_p::VARCHAR",
    "service": "coalesce(nullif(service, ''), proto || '/' || resp_p::VARCHAR)",
    "country": "resp_country",
    "net": "coalesce(orig_net, 'none')",
    "as": "resp_as_org",
}


def nothing(scope: Scope, start_us: int, end_us: int, what: str = "conn") -> str:
    """Why there is nothing, as far as the manifest tells."""
    if not scope.tables.get(what):
        return f"this state holds no rows of {what}"
    first_us, last_us = scope.bounds[what]
    if end_us <= first_us or start_us > last_us:
        return f"the rows of {what} are from {said(first_us)} to {said(last_us)} UTC"
    return f"searched: {what}, from {said(start_us)} to {said(end_us)} UTC"


def talkers(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """The greatest by bytes (or connections, packets, peers) of one kind."""
    start, end, note = scope.span(reading, ("conn",))
    kind = _kind(reading)
    measure = _measure(reading)
    where = Where().kind(reading, services)
    for entity in reading.all("host", "net", "country", "as", "scope"):
        side = {"to": "resp", "from": "orig"}.get(entity.role, "")
        where.add(where.end(side, entity) if side else where.either([entity]))
    _of_domains(where, reading)
    who = BY[kind]
    other = "orig_h" if kind != "host" else "resp_h"
    limit = reading.first("limit", SHOWN)
    sql = f"""SELECT {who} AS who, {_SUMS}, count(DISTINCT {other}) AS peers,
       bytes_out + bytes_in AS bytes
FROM conn
WHERE {where}
GROUP BY who
HAVING who IS NOT NULL
ORDER BY {measure} DESC, who
LIMIT {int(limit)}"""
    reads = ("conn", "ssl", "http") if reading.all("domain") else ("conn",)
    words = f"connections by {_KINDS[kind]}, the most {measure} first"
    step = Step("talkers", words, "lake", sql, where.values, (), reads, start, end, ((measure, True),), int(limit))
    return Plan((step,), lambda rows: _talkers(scope, step, kind, measure, rows), (note,) if note else ())


_KINDS = {
    "host": "client",
    "server": "server",
    "port": "port",
    "service": "service",
    "country": "country of the server",
    "net": "network of the client",
    "as": "AS of the server",
}


def _kind(reading: Reading) -> str:
    for kind in ("server", "port", "service"):
        if kind in reading.groups and not (kind == "port" and reading.all("port")):
            return kind
    text = reading.question.lower()
    for word, kind in (
        ("countr", "country"),
        (" asn", "as"),
        ("provider", "as"),
        ("subnet", "net"),
        ("networks", "net"),
    ):
        if word in text and not reading.all(kind):
            return kind
    return "host"


def _measure(reading: Reading) -> str:
    text = reading.question.lower()
    for word, measure in (
        ("packet", "packets"),
        ("peer", "peers"),
        ("most hosts", "peers"),
        ("connection", "connections"),
        ("sessions", "connections"),
        ("flows", "connections"),
        ("upload", "bytes_out"),
        ("sent", "bytes_out"),
        ("sends", "bytes_out"),
        ("download", "bytes_in"),
        ("received", "bytes_in"),
    ):
        if word in text:
            return measure
    return "bytes"


def _talkers(scope: Scope, step: Step, kind: str, measure: str, rows: Rows) -> Answer:
    found = rows["talkers"]
    if not found:
        why = nothing(scope, step.start_us, step.end_us)
        if kind in ("country", "as"):
            why += "; and rows know no country or AS unless geo.city and geo.asn are set when they are read"
        return Answer(f"No such traffic was seen ({why}).", found=False)
    first = found[0]
    total = f"{first[measure]:,} {_MEASURED.get(measure, measure)}"
    if measure != "connections":
        total += f" in {counted(first['connections'], 'connection')}"
    return Answer(
        f"{first['who']} comes first with {total}.",
        (table("talkers", found, {_KINDS[kind]: "who", **_MEASURES, **TIMES, **sensor_column(found)}),),
    )


_MEASURED = {"bytes_out": "bytes sent", "bytes_in": "bytes received"}
_MEASURES = {
    "bytes": "bytes",
    "bytes out": "bytes_out",
    "bytes in": "bytes_in",
    "packets": "packets",
    "connections": "connections",
    "peers": "peers",
}


def sensor_column(rows: list[Row]) -> Columns:
    """The sensor, where there are several."""
    return {"sensor": "sensor"} if len({r.get("sensor") for r in rows}) > 1 else {}


def _of_domains(where: Where, reading: Reading) -> None:
    """Connections whose TLS or HTTP names one of the domains, or whose server the client just looked up."""
    if domains := reading.all("domain"):
        where.add(
            f"uid IN (SELECT uid FROM ssl WHERE {where.below('server_name', domains)}"
            f" UNION ALL SELECT uid FROM http WHERE {where.below('host', domains)})"
        )


# ---- who talked to whom


def contacts(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """Pairs of client and server; of a name, who asked for it, too."""
    if reading.all("domain"):
        return _named(reading, scope)
    start, end, note = scope.span(reading, ("conn",))
    where = Where().kind(reading, services)
    hosts = reading.all("host", "net", "country", "as", "scope")
    for entity in hosts:
        side = _side(entity, reading, len(hosts))
        where.add(where.end(side, entity) if side else where.either([entity]))
    limit = reading.first("limit", 50)
    sql = f"""SELECT orig_h, resp_h, proto, resp_p, coalesce(service, '') AS service, {_SUMS},
       count(*) FILTER (conn_state IN ('S0', 'REJ', 'RSTOS0', 'SH')) AS failed,
       min(resp_country) AS country, min(resp_as_org) AS as_org
FROM conn
WHERE {where}
GROUP BY orig_h, resp_h, proto, resp_p, coalesce(service, '')
ORDER BY connections DESC, bytes_out + bytes_in DESC, orig_h, resp_h, resp_p
LIMIT {PAIRS}"""
    asked = ", ".join(dict.fromkeys(str(e) for e in reading.entities if e.kind not in ("time", "limit")))
    words = f"connections by client and server{f', {asked}' if asked else ''}"
    order = (("connections", True),)
    step = Step("pairs", words, "lake", sql, where.values, (), ("conn",), start, end, order, PAIRS)
    sums = _TOTALS.format(where=where)
    totals = Step("totals", "how many that are in all", "lake", sums, where.values, (), ("conn",), start, end)
    return Plan((step, totals), lambda rows: _pairs(scope, step, reading, int(limit), rows), (note,) if note else ())


def _side(entity: Entity, reading: Reading, number: int) -> str:
    """Which end of a connection is meant; "" for either.

    Talking is mutual ("who talked to X"), connecting is not ("who connected to X"). Without a word before it a host
    is the client where it is the subject ("what did X connect to"), else either ("connections of X").
    """
    mutual = "who" in reading.groups and any(w in reading.question.lower() for w in _MUTUAL)
    if entity.role and (number > 1 or not mutual):
        return {"to": "resp", "from": "orig"}[entity.role]
    subject = _SUBJECT.search(reading.question[: entity.at[0]]) or entity.at[0] == 0
    return "orig" if subject and number == 1 else ""


_SUBJECT = re.compile(r"\b(?:did|does|do|has|have|had|is|are|was|were|can)\s+(?:the\s+)?(?:host\s+)?$", re.IGNORECASE)
_MUTUAL = ("talk", "spoke", "speak", "communicat", "exchang", "chat", "with")


_PAIRS: Columns = {
    "client": "orig_h",
    "server": "resp_h",
    "port": lambda r: f"{r['resp_p']}/{r['proto']}" if r["resp_p"] is not None else r["proto"],
    "service": "service",
    "connections": "connections",
    "unanswered or refused": lambda r: r["failed"] or None,
    "bytes out": "bytes_out",
    "bytes in": "bytes_in",
    "country": "country",
    "AS": "as_org",
    **TIMES,
}


PAIRS = 2000  # rows that are looked at; how many there are in all is counted beside them
_TOTALS = """SELECT count(DISTINCT (orig_h, resp_h, proto, resp_p, coalesce(service, ''))) AS pairs,
       count(DISTINCT orig_h) AS clients, count(DISTINCT resp_h) AS servers, count(*) AS connections,
       coalesce(sum(orig_ip_bytes), sum(orig_bytes), 0)::BIGINT
       + coalesce(sum(resp_ip_bytes), sum(resp_bytes), 0)::BIGINT AS bytes
FROM conn
WHERE {where}"""


def _pairs(scope: Scope, step: Step, reading: Reading, limit: int, rows: Rows) -> Answer:
    found = rows["pairs"]
    if not found:
        why = nothing(scope, step.start_us, step.end_us)
        if reading.all("country", "as"):
            why += "; rows know a country or AS only where geo.city and geo.asn were set when they were read"
        return Answer(f"Nobody: no such connection was seen ({why}).", found=False)
    totals = [t for t in rows["totals"] if t["connections"]]
    told = "; ".join(_total(t, [r for r in found if r["sensor"] == t["sensor"]], len(totals) > 1) for t in totals)
    pairs = sum(t["pairs"] for t in totals)
    more = f"; the first {limit} of {pairs:,} lines are shown" if pairs > limit else ""
    return Answer(
        f"{told}{more}.",
        (table("connections", found[:limit], {**_PAIRS, **sensor_column(found)}),),
    )


def _total(total: Row, found: list[Row], several: bool) -> str:
    """What one sensor saw in all; nothing is added across sensors."""
    clients, servers = ({r[end] for r in found} for end in ("orig_h", "resp_h"))
    who = _some(sorted(clients), "client") if len(clients) == total["clients"] else counted(total["clients"], "client")
    whom = _some(sorted(servers), "server") if len(servers) == total["servers"] else counted(total["servers"], "server")
    seen = f"{who} talked to {whom} in {counted(total['connections'], 'connection')} ({total['bytes']:,} bytes)"
    return f"{total['sensor']}: {seen}" if several else seen


def _some(names: list[str], word: str) -> str:
    return ", ".join(names) if len(names) <= 3 else counted(len(names), word)


_NAMING = (
    ("dns", "query", "looked up", "NULL::VARCHAR"),
    ("ssl", "server_name", "TLS", "resp_h"),
    ("http", "host", "HTTP", "resp_h"),
)


def _named(reading: Reading, scope: Scope) -> Plan:
    """Who used a name: asked for it, or called it by TLS or HTTP."""
    start, end, note = scope.span(reading, ("dns", "ssl", "http"))
    where = Where()
    domains, hosts = reading.all("domain"), reading.all("host", "net")
    client = where.ends(hosts, "orig")
    also = f" AND {client}" if client else ""
    parts = [
        f"SELECT orig_h, '{how}' AS how, lower({column}) AS name, {server} AS resp_h, ts_us FROM {view}"
        f" WHERE {where.below(column, domains)}{also}"
        for view, column, how, server in _NAMING
    ]
    sql = (
        "SELECT orig_h, how, name, resp_h, count(*) AS times, min(ts_us) AS first_us, max(ts_us) AS last_us\nFROM (\n  "
        + "\n  UNION ALL ".join(parts)
        + "\n)\nGROUP BY ALL\nORDER BY times DESC, orig_h, how, name, resp_h\nLIMIT 2000"
    )
    named = ", ".join(d.label for d in domains)
    words = f"look-ups, TLS and HTTP that name {named} or what is below it"
    step = Step(
        "named", words, "lake", sql, where.values, (), ("dns", "ssl", "http"), start, end, (("times", True),), 2000
    )
    notes = [note] if note else []
    if left := reading.all("port", "service", "protocol", "country", "as", "scope", "direction"):
        notes.append(f"passed over, for uses of a name cannot be narrowed by it: {', '.join(map(str, left))}")
    return Plan((step,), lambda rows: _by_name(scope, step, named, rows), tuple(notes))


def _by_name(scope: Scope, step: Step, named: str, rows: Rows) -> Answer:
    found = rows["named"]
    if not found:
        return Answer(
            f"Nobody asked for {named} or called it (searched: dns, ssl and http, from {said(step.start_us)} to"
            f" {said(step.end_us)} UTC).",
            found=False,
        )
    clients = sorted({r["orig_h"] for r in found})
    called = sorted({r["orig_h"] for r in found if r["how"] != "looked up"})
    did = f"{_some(called, 'host')} called it" if called else "nobody called it by TLS or HTTP that names it"
    columns: Columns = {"client": "orig_h", "how": "how", "name": "name", "server": "resp_h", "times": "times", **TIMES}
    return Answer(
        f"{_some(clients, 'host')} used {named}: {did}.",
        (table("uses", found[:50], {**columns, **sensor_column(found)}),),
    )
