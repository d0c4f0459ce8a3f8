"""What a host did, in the order of time: its alerts, connections, names and logins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...decide.severities import WORDS
from ..plan import Answer, Plan, Row, Rows, Step, table
from ..reading import Reading
from ..scope import Scope
from ..times import said
from ..where import Where, at
from . import alerts, traffic
from .alerts import counted, when

SHOWN = 60
MINUTE_US = 60_000_000
PIECES = 200  # of the span, by which connections are put together, but not below a minute
LINES = 2000  # of each kind that are looked at


def plan(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """Rows are put together by minute and what they are to, so that a scan is a line a minute and not a thousand."""
    if reading.all("domain"):
        return traffic.contacts(reading, scope, services)
    start, end, note = scope.span(reading, ("conn", "dns"))
    steps = [alerts.step(reading, scope, services), _conn(reading, services, start, end)]
    if not reading.all("port", "service", "protocol"):
        steps += [_dns(reading, start, end), _logins(reading, start, end)]
    return Plan(tuple(steps), lambda rows: _told(scope, reading, start, end, rows), (note,) if note else ())


def _step(name: str, words: str, sql: str, where: Where, table: str, start: int, end: int) -> Step:
    order = (("first_us", False),)
    return Step(name, words, "lake", sql, where.values, (), (table,), start, end, order, LINES)


def _conn(reading: Reading, services: Mapping[str, Any], start: int, end: int) -> Step:
    minutes = max(1, (end - start) // PIECES // MINUTE_US)
    where = Where().kind(reading, services)
    where.add(where.either(reading.all("host", "net")))
    sql = f"""SELECT orig_h, CASE WHEN count(DISTINCT resp_h) = 1 THEN min(resp_h) END AS resp_h, proto,
       coalesce(service, '') AS service, CASE WHEN count(DISTINCT resp_p) = 1 THEN min(resp_p) END AS resp_p,
       count(*) AS connections, count(DISTINCT resp_h) AS servers, count(DISTINCT resp_p) AS ports,
       count(*) FILTER (conn_state IN ('S0', 'REJ', 'RSTOS0', 'SH')) AS failed,
       coalesce(sum(orig_ip_bytes), sum(orig_bytes), 0)::BIGINT AS bytes_out,
       coalesce(sum(resp_ip_bytes), sum(resp_bytes), 0)::BIGINT AS bytes_in,
       min(ts_us) AS first_us, max(end_us) AS last_us
FROM conn
WHERE {where}
GROUP BY orig_h, proto, coalesce(service, ''), ts_us // {minutes * MINUTE_US},
         CASE WHEN coalesce(service, '') = '' THEN '' ELSE resp_h END
ORDER BY first_us, orig_h, service, resp_h
LIMIT {LINES}"""
    return _step("connections", f"connections by {minutes} min, service and server", sql, where, "conn", start, end)


def _dns(reading: Reading, start: int, end: int) -> Step:
    where = Where()
    where.add(where.ends(reading.all("host", "net"), "orig"))
    sql = f"""SELECT orig_h, coalesce(query_domain, query) AS name, count(*) AS times, count(DISTINCT query) AS names,
       count(*) FILTER (rcode_name = 'NXDOMAIN') AS nxdomain, min(ts_us) AS first_us, max(ts_us) AS last_us
FROM dns
WHERE {where} AND query IS NOT NULL
GROUP BY orig_h, coalesce(query_domain, query), ts_us // {10 * MINUTE_US}
ORDER BY first_us, orig_h, name
LIMIT {LINES}"""
    return _step("lookups", "names that were looked up, by ten minutes", sql, where, "dns", start, end)


def _logins(reading: Reading, start: int, end: int) -> Step:
    where = Where()
    where.add(where.either(reading.all("host", "net")))
    sql = f"""SELECT orig_h, resp_h, count(*) AS connections, count(*) FILTER (auth_success) AS successes,
       coalesce(sum(auth_attempts), 0)::BIGINT AS attempts, min(ts_us) AS first_us, max(ts_us) AS last_us
FROM ssh
WHERE {where}
GROUP BY orig_h, resp_h, ts_us // {10 * MINUTE_US}
ORDER BY first_us, orig_h, resp_h
LIMIT {LINES}"""
    return _step("logins", "SSH sessions, by ten minutes", sql, where, "ssh", start, end)


def _told(scope: Scope, reading: Reading, start: int, end: int, rows: Rows) -> Answer:
    events = [_alert(d) for d in rows["alerts"]]
    events += [_connection(r) for r in rows["connections"]] + [_lookup(r) for r in rows.get("lookups", [])]
    events += [_login(r) for r in rows.get("logins", [])]
    events.sort(key=lambda e: (e["time"], e["what"], e["detail"]))
    who = ", ".join(e.label for e in reading.all("host", "net"))
    if not events:
        searched = f"alerts, conn, dns and ssh, from {said(start)} to {said(end)} UTC"
        return Answer(f"Nothing of {who} was seen (searched: {searched}).", found=False)
    limit = int(reading.first("limit", SHOWN))
    shown = _cut(events, limit)
    more = f"; {limit} of {len(events)} lines are shown, all alerts among them" if len(events) > limit else ""
    if full := [name for name in ("connections", "lookups", "logins") if len(rows.get(name, [])) >= LINES]:
        more += f"; there are more {' and '.join(full)} than were looked at, name a shorter time for all"
    found = counted(len(rows["alerts"]), "alert")
    return Answer(
        f"{who} was seen from {events[0]['time']} to {max(e['until'] for e in events)} UTC, with {found}{more}.",
        (table("timeline", shown, {k: k for k in ("time", "until", "what", "who", "detail")}),),
    )


def _cut(events: list[Row], limit: int) -> list[Row]:
    """All alerts, and of the rest as many as there is room for, the first ones of each kind of event."""
    if len(events) <= limit:
        return events
    room = max(limit - sum(e["what"] == "ALERT" for e in events), 0)
    rest = sorted((e for e in events if e["what"] != "ALERT"), key=lambda e: (-e["weight"], e["time"]))[:room]
    kept = {id(e) for e in rest}
    return [e for e in events if e["what"] == "ALERT" or id(e) in kept]


def _event(row: Row, what: str, who: str, detail: str, weight: float) -> Row:
    return {
        "time": said(row["first_us"]),
        "until": said(row["last_us"]),
        "what": what,
        "who": who,
        "detail": detail,
        "weight": weight,
    }


def _alert(doc: Row) -> Row:
    return {
        "time": when(at(doc, "aegis.first_seen")),
        "until": when(at(doc, "aegis.last_seen")),
        "what": "ALERT",
        "who": at(doc, "source.ip", ""),
        "detail": f"{WORDS.get(at(doc, 'event.severity'), '')}: {at(doc, 'rule.name')}: {at(doc, 'event.reason')}",
        "weight": 0.0,
    }


def _connection(row: Row) -> Row:
    server = row["resp_h"] or f"{row['servers']} hosts"
    port = f" port {row['resp_p']}" if row["resp_p"] is not None else f", {row['ports']} ports"
    failed = f", {row['failed']:,} unanswered or refused" if row["failed"] else ""
    moved = row["bytes_out"] + row["bytes_in"]
    detail = (
        f"{counted(row['connections'], 'connection')} to {server}{port} ({row['service'] or row['proto']}),"
        f" {row['bytes_out']:,} bytes out, {row['bytes_in']:,} in{failed}"
    )
    return _event(row, "connections", row["orig_h"], detail, moved + row["connections"] * 1000)


def _lookup(row: Row) -> Row:
    failed = f", {row['nxdomain']} do not exist" if row["nxdomain"] else ""
    names = f", {row['names']} different names" if row["names"] > 1 else ""
    return _event(
        row, "look-ups", row["orig_h"], f"{row['times']} of {row['name']}{names}{failed}", row["times"] * 1000
    )


def _login(row: Row) -> Row:
    detail = (
        f"{counted(row['connections'], 'SSH session')} with {row['resp_h']}: {row['attempts']} attempts,"
        f" {row['successes']} successful"
    )
    return _event(row, "logins", row["orig_h"], detail, 1e9)
