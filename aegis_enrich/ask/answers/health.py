"""How well the network and the sensor do: loss, refusals, gaps in the capture; and what the state holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plan import Answer, Columns, Plan, Row, Rows, Step, table
from ..reading import Reading
from ..scope import Scope
from ..times import said
from ..where import Where
from . import alerts
from .alerts import counted

LOSS_RULES = ("packet_loss", "high_latency")


def plan(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    start, end, note = scope.span(reading, ("conn", "aegis_retransmission", "capture_loss"))
    found = alerts.step(reading, scope, services)
    where = Where()
    where.add(where.either(reading.all("host", "net")))
    conn = f"""SELECT count(*) AS connections,
       count(*) FILTER (conn_state IN ('S0', 'SH')) AS unanswered,
       count(*) FILTER (conn_state IN ('REJ', 'RSTOS0', 'RSTRH')) AS refused,
       count(*) FILTER (missed_bytes > 0) AS with_gaps, coalesce(sum(missed_bytes), 0)::BIGINT AS missed_bytes,
       coalesce(sum(orig_bytes), 0)::BIGINT + coalesce(sum(resp_bytes), 0)::BIGINT AS bytes,
       quantile_cont(orig_rtt + resp_rtt, 0.5) AS rtt_s,
       count(*) FILTER (contains(history, 't') OR contains(history, 'T')) AS retransmitting
FROM conn
WHERE {where}"""
    rexmit = f"""SELECT orig_h, resp_h, coalesce(sum(orig_rexmit_min), 0)::BIGINT AS sent_again_by_client,
       coalesce(sum(resp_rexmit_min), 0)::BIGINT AS sent_again_by_server,
       coalesce(sum(orig_pkts), 0)::BIGINT + coalesce(sum(resp_pkts), 0)::BIGINT AS packets
FROM aegis_retransmission
WHERE {where}
GROUP BY orig_h, resp_h
HAVING sent_again_by_client + sent_again_by_server > 0
ORDER BY sent_again_by_client + sent_again_by_server DESC, orig_h, resp_h
LIMIT 20"""
    loss = "SELECT count(*) AS reports, max(percent_lost) AS worst_percent FROM capture_loss"
    counters = "SELECT name, sum(value) FROM counters WHERE name != 'segments' GROUP BY name ORDER BY name"
    steps = (
        found,
        Step(
            "conn",
            "how connections end, and what the sensor missed of them",
            "lake",
            conn,
            where.values,
            (),
            ("conn",),
            start,
            end,
        ),
        Step(
            "again", "who sends segments again", "lake", rexmit, where.values, (), ("aegis_retransmission",), start, end
        ),
        Step("capture", "what the sensor says that it lost", "lake", loss, {}, (), ("capture_loss",), start, end),
        Step("counters", "what AegisEnrich counted", "state", counters, (), ("name", "value")),
        Step("bad", "lines that could not be read", "state", "SELECT count(*) FROM dead_letters", (), ("lines",)),
    )
    return Plan(steps, lambda rows: _told(scope, rows), (note,) if note else ())


def _told(scope: Scope, rows: Rows) -> Answer:
    found = [d for d in rows["alerts"] if d.get("rule", {}).get("id") in LOSS_RULES]
    facts = [fact for row in rows["conn"] if row["connections"] for fact in _facts(row, len(scope.sensors) > 1)]
    facts += [
        {
            "what": f"capture loss, worst of {row['reports']} reports",
            "value": f"{row['worst_percent']:.2f} %",
            "sensor": row["sensor"],
        }
        for row in rows["capture"]
        if row["reports"]
    ]
    counted_ = {r["name"]: r["value"] for r in rows["counters"]}
    for name in ("late_rows", "future_rows", "lost_bytes"):
        if counted_.get(name):
            facts.append({"what": name.replace("_", " "), "value": f"{counted_[name]:,}", "sensor": ""})
    if rows["bad"][0]["lines"]:
        facts.append({"what": "bad lines (dead letters)", "value": f"{rows['bad'][0]['lines']:,}", "sensor": ""})
    if not facts and not found:
        return Answer("This state holds no rows that tell of the network's health.", found=False)
    tables = [table("health", facts, {"what": "what", "value": "value", "sensor": "sensor"})] if facts else []
    if rows["again"]:
        tables.append(table("sent again", rows["again"], _AGAIN))
    if found:
        tables.append(table("alerts", alerts.by_risk(found), alerts.COLUMNS))
    said_ = f"{counted(len(found), 'alert')} of loss or latency" if found else "No alert of loss or latency"
    measured = (
        ""
        if rows["again"] or scope.tables.get("aegis_retransmission")
        else ("; retransmissions are measured only where Zeek loads aegis_retransmission")
    )
    return Answer(f"{said_}{measured}.", tuple(tables))


_AGAIN = {
    "client": "orig_h",
    "server": "resp_h",
    "segments again by client": "sent_again_by_client",
    "by server": "sent_again_by_server",
    "packets": "packets",
}


def _facts(row: Row, several: bool) -> list[Row]:
    of = row["connections"]
    made = [("connections", f"{of:,}")]
    made += [
        (what, f"{row[name]:,} ({row[name] / of:.1%})")
        for name, what in (
            ("unanswered", "unanswered"),
            ("refused", "refused"),
            ("retransmitting", "with a retransmission in their history"),
            ("with_gaps", "with gaps in the capture"),
        )
    ]
    made.append(("bytes that the sensor missed", f"{row['missed_bytes']:,}"))
    if row["rtt_s"] is not None:
        made.append(("median round trip", f"{row['rtt_s'] * 1000:.1f} ms"))
    return [{"what": what, "value": value, "sensor": row["sensor"] if several else ""} for what, value in made]


def inventory(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """Tables, rows and times of the manifest; with a time, of the segments that reach into it."""
    where, values = ["tombstone_us IS NULL", "derived = 0"], list[Any]()
    if sensors := [e.value for e in reading.all("sensor")]:
        where.append(f"sensor IN ({', '.join('?' * len(sensors))})")
        values += sensors
    start, end = scope.alert_span(reading)
    for condition, value in (("max_us >= ?", start), ("min_us < ?", end)):
        if value is not None:
            where.append(condition)
            values.append(value)
    sql = f"""SELECT tbl, sensor, group_concat(DISTINCT source), sum(rows), sum(bytes), min(min_us), max(max_us)
FROM segments
WHERE {" AND ".join(where)}
GROUP BY tbl, sensor
ORDER BY tbl, sensor"""
    columns = ("table", "sensor", "source", "rows", "bytes", "first_us", "last_us")
    step = Step("tables", "what the manifest names", "state", sql, values, columns)
    return Plan((step,), lambda rows: _held(rows))


def _held(rows: Rows) -> Answer:
    held = rows["tables"]
    if not held:
        return Answer("This state holds no rows.", found=False)
    columns: Columns = {k: k for k in ("table", "sensor", "source", "rows", "bytes")}
    times: Columns = {"first": lambda r: said(r["first_us"]), "last": lambda r: said(r["last_us"])}
    first, last = min(r["first_us"] for r in held), max(r["last_us"] for r in held)
    names = sorted({r["table"] for r in held})
    return Answer(
        f"{sum(r['rows'] for r in held):,} rows of {len(names)} tables ({', '.join(names)}) of"
        f" {counted(len({r['sensor'] for r in held}), 'sensor')}, from {said(first)} to {said(last)} UTC.",
        (table("tables", held, {**columns, **times}),),
    )
