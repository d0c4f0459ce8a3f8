"""Compares two periods, and says what is new since a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...decide.severities import WORDS
from ...plugin import DAY_US
from ..entities import Entity
from ..plan import Answer, Columns, Plan, Row, Rows, Step, table
from ..reading import Reading
from ..scope import Scope
from ..times import Span, said
from ..where import Where, at
from . import alerts
from .alerts import SHOWN, counted
from .traffic import nothing

BEFORE_US = 14 * DAY_US  # how far back what is new must not have been seen

_CONN = """SELECT count(*) AS connections, count(DISTINCT orig_h) AS clients, count(DISTINCT resp_h) AS servers,
       coalesce(sum(orig_ip_bytes), sum(orig_bytes), 0)::BIGINT AS bytes_out,
       coalesce(sum(resp_ip_bytes), sum(resp_bytes), 0)::BIGINT AS bytes_in,
       count(*) FILTER (conn_state IN ('S0', 'REJ', 'RSTOS0', 'SH')) AS failed
FROM conn
WHERE {where}"""
_DNS = """SELECT count(*) AS lookups, count(DISTINCT coalesce(query_domain, query)) AS domains,
       count(*) FILTER (rcode_name = 'NXDOMAIN') AS nxdomain
FROM dns
WHERE {where}"""
_MEASURES = {
    "connections": "connections",
    "clients": "clients",
    "servers": "servers",
    "bytes_out": "bytes out",
    "bytes_in": "bytes in",
    "failed": "unanswered or refused",
    "lookups": "look-ups",
    "domains": "domains looked up",
    "nxdomain": "names that do not exist",
}


def periods(reading: Reading, scope: Scope) -> tuple[tuple[int, int], tuple[int, int]]:
    """The earlier and the later of two spans; beside a single one the equally long one before it.

    Without any it is the newest day with the day before it.
    """
    ends = sorted(
        {
            (
                s.start_us if s.start_us is not None else scope.first_us,
                s.end_us if s.end_us is not None else scope.now_us + 1,
            )
            for s in reading.spans
        }
    )
    if len(ends) >= 2:
        (first, first_end), (second, second_end) = ends[0], ends[1]
        return (first, min(first_end, second) if first_end > second else first_end), (second, second_end)
    if ends and "than" in reading.groups and ends[0][1] <= scope.now_us:  # "more than yesterday": now is the other
        return ends[0], (ends[0][1], scope.now_us + 1)
    if ends:
        start, end = ends[0][0], min(ends[0][1], scope.now_us + 1)
    else:
        start, end = scope.now_us // DAY_US * DAY_US, scope.now_us + 1
    return (2 * start - end, start), (start, end)


def compare(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """The same measures of both."""
    both = periods(reading, scope)
    steps = []
    for name, (start, end) in zip(("before", "after"), both, strict=True):
        where = Where()
        where.add(where.either(reading.all("host", "net")))
        client = Where()
        client.add(client.ends(reading.all("host", "net"), "orig"))
        span = f"from {said(start)} to {said(end)}"
        words = f"connections {span}"
        steps.append(
            Step(f"conn_{name}", words, "lake", _CONN.format(where=where), where.values, (), ("conn",), start, end)
        )
        words = f"look-ups {span}"
        steps.append(
            Step(f"dns_{name}", words, "lake", _DNS.format(where=client), client.values, (), ("dns",), start, end)
        )
        of_span = replace(reading, entities=(*reading.all("host", "net", "sensor"), _time(start, end)))
        steps.append(alerts.step(of_span, scope, services, name=f"alerts_{name}"))
    return Plan(tuple(steps), lambda rows: _compared(reading, scope, both, rows))


def _time(start_us: int, end_us: int | None) -> Entity:
    span = Span(start_us, end_us, "period")
    return Entity("time", span, str(span))


def _compared(reading: Reading, scope: Scope, both: tuple[tuple[int, int], tuple[int, int]], rows: Rows) -> Answer:
    made: list[Row] = []
    sensors = sorted({r["sensor"] for r in rows["conn_before"]})
    for sensor in sensors:
        for kind, names in (("conn", list(_MEASURES)[:6]), ("dns", list(_MEASURES)[6:])):
            before, after = ({r["sensor"]: r for r in rows[f"{kind}_{n}"]}.get(sensor, {}) for n in ("before", "after"))
            for name in names:
                made.append(_line(_MEASURES[name], before.get(name, 0), after.get(name, 0), sensor))
    counts = [Counter(at(d, "event.severity") for d in rows[f"alerts_{n}"]) for n in ("before", "after")]
    made += [_line(f"{WORDS[s]} alerts", counts[0][s], counts[1][s], "") for s in sorted(WORDS, reverse=True)]
    made = [m for m in made if m["before"] or m["after"]]
    spans = [f"{said(a)} to {said(b)}" for a, b in both]
    titles = {"what": "what", spans[0]: "before", spans[1]: "after", "change": "change"}
    if len(sensors) > 1:
        titles |= {"sensor": "sensor"}
    if not made:
        return Answer(f"Nothing was seen in either period: {spans[0]}, {spans[1]} UTC.", found=False)
    lacking = [s for s, side in zip(spans, ("before", "after"), strict=True) if not any(m[side] for m in made)]
    empty = f"; the state holds nothing of {lacking[0]}" if lacking else ""
    total = [sum(c.values()) for c in counts]
    flows = [sum(r["connections"] for r in rows[f"conn_{n}"]) for n in ("before", "after")]
    return Answer(
        f"{spans[0]} had {counted(flows[0], 'connection')} and {counted(total[0], 'alert')};"
        f" {spans[1]} had {counted(flows[1], 'connection')} and {counted(total[1], 'alert')}{empty}.",
        (table("comparison", made, titles),),
    )


def _line(what: str, before: int, after: int, sensor: str) -> Row:
    change = "new" if not before and after else "" if not before else f"{(after - before) / before:+.0%}"
    return {"what": what, "before": before, "after": after, "change": change, "sensor": sensor}


# ---- what is new

_NEW = """SELECT {who} AS who, count(*) AS times, count(DISTINCT {other}) AS others, min(ts_us) AS first_us,
       count(*) OVER () AS every
FROM {table}
WHERE {where}
GROUP BY who
HAVING who IS NOT NULL AND min(ts_us) >= $since
ORDER BY times DESC, who
LIMIT 1000"""
ANSWERED = "conn_state NOT IN ('S0', 'REJ', 'RSTOS0', 'RSTRH', 'SH', 'OTH') AND coalesce(resp_pkts, 1) > 0"
_KINDS = (
    ("host", "clients", "conn", "orig_h", "resp_h", "servers"),
    ("server", "servers", "conn", "resp_h", "orig_h", "clients"),
    (
        "service",
        "services",
        "conn",
        "coalesce(nullif(service, ''), proto || '/' || resp_p::VARCHAR)",
        "orig_h",
        "clients",
    ),
    ("domain", "domains", "dns", "coalesce(query_domain, query)", "orig_h", "clients"),
)


def changed(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """Alerts since the time, and hosts, servers, services and domains that were not seen in the 14 days before it."""
    spans = reading.spans
    since = spans[0].start_us if spans and spans[0].start_us is not None else scope.now_us // DAY_US * DAY_US
    until = spans[0].end_us if spans and spans[0].end_us is not None else scope.now_us + 1
    start = max(scope.first_us, since - BEFORE_US)
    asked = {k for k in ("host", "server", "service", "domain") if k in reading.groups}
    steps = []
    if not asked or "alert" in reading.groups:
        of_span = replace(reading, entities=(*reading.all("host", "net", "scope", "sensor"), _time(since, until)))
        steps.append(alerts.step(of_span, scope, services))
    for group, what, view, who, other, _ in _KINDS:
        if asked and group not in asked:
            continue
        where = Where(values={"since": since})
        where.add(ANSWERED if what in ("servers", "services") else "")
        hosts = reading.all("host", "net")
        where.add(where.ends(hosts, "orig") if group == "domain" else where.either(hosts))
        side = {"host": "orig", "server": "resp"}.get(group)
        where.add(where.ends(reading.all("scope"), side) if side else "")
        sql = _NEW.format(who=who, other=other, table=view, where=where)
        words = f"{what} whose first row since {said(start)} is not before {said(since)}"
        steps.append(Step(what, words, "lake", sql, where.values, (), (view,), start, until, (("times", True),)))
    note = "" if spans else f"no time is named: since the newest day began, {said(since)}"
    return Plan(tuple(steps), lambda rows: _changed(scope, start, since, until, rows), (note,) if note else ())


def _changed(scope: Scope, start: int, since: int, until: int, rows: Rows) -> Answer:
    listed = rows.get("alerts", [])
    found = [d for d in alerts.by_risk(listed) if at(d, "aegis.first_seen", "") >= said(since).replace(" ", "T")]
    going_on = len(listed) - len(found)
    tables = [table("new alerts", found[:SHOWN], alerts.COLUMNS)] if found else []
    parts = [counted(len(found), "new alert")] if "alerts" in rows else []
    parts += [f"{going_on} that went on"] if going_on else []
    for _, what, _, _, _, others in _KINDS:
        if what not in rows:
            continue
        new = rows[what]
        every = sum({r["sensor"]: r["every"] for r in new}.values())
        parts.append(f"{every:,} new {what if every != 1 else what[:-1]}")
        if new:
            columns: Columns = {
                what[:-1]: "who",
                "rows": "times",
                others: "others",
                "first": lambda r: said(r["first_us"]),
            }
            tables.append(table(f"new {what}", new[:SHOWN], columns))
    past = (
        f", compared with rows since {said(start)}"
        if start < since
        else ", and the state holds nothing before that, so all of it is new"
    )
    if not tables:
        return Answer(f"Nothing is new since {said(since)} UTC{past} ({nothing(scope, start, until)}).", found=False)
    return Answer(f"Since {said(since)} UTC: {', '.join(parts)}{past}.", tuple(tables))
