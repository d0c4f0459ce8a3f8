"""Names that were looked up: by whom, how often, with what result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plan import Answer, Columns, Plan, Row, Rows, Step, table
from ..reading import Reading
from ..scope import Scope
from ..where import Where
from .alerts import counted
from .traffic import TIMES, nothing, sensor_column

SHOWN = 30
LINES = 5000  # that are looked at; how many there are in all is counted beside them
NAME = 80  # characters of a name in a sentence


def plan(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """By client and name where either is given; else by registered domain."""
    start, end, note = scope.span(reading, ("dns",))
    where = Where().add("query IS NOT NULL")
    where.add(where.below("query", reading.all("domain")))
    where.add(where.ends(reading.all("host", "net"), "orig"))
    if failed := "failed" in reading.groups:
        where.add("rcode_name NOT IN ('NOERROR')")
    narrow = bool(failed or reading.all("domain") or reading.all("host", "net"))
    by_client = "top" in reading.groups and bool(reading.groups & {"host", "who"}) and not reading.all("host")
    key = "orig_h" if by_client else "orig_h, name" if narrow else "name"
    columns = {
        "orig_h": "orig_h",
        "orig_h, name": "orig_h, lower(query) AS name",
        "name": "count(DISTINCT orig_h) AS clients, lower(coalesce(query_domain, query)) AS name",
    }[key]
    limit = int(reading.first("limit", SHOWN))
    sql = f"""SELECT {columns}, count(*) AS times, count(DISTINCT lower(query)) AS names,
       count(*) FILTER (rcode_name NOT IN ('NOERROR')) AS failed,
       string_agg(DISTINCT rcode_name, ' ' ORDER BY rcode_name) AS rcodes,
       string_agg(DISTINCT qtype_name, ' ' ORDER BY qtype_name) AS types,
       min(ts_us) AS first_us, max(ts_us) AS last_us
FROM dns
WHERE {where}
GROUP BY {key}
ORDER BY times DESC, {key}
LIMIT {LINES}"""
    sums = f"""SELECT count(*) AS times, count(DISTINCT orig_h) AS clients,
       count(DISTINCT {"lower(query)" if narrow else "lower(coalesce(query_domain, query))"}) AS names
FROM dns
WHERE {where}"""
    what = ", ".join(str(e) for e in reading.all("host", "net", "domain"))
    words = f"look-ups{' without success' if failed else ''} by {_BY[key]}"
    words += f", {what}" if what else ""
    step = Step("lookups", words, "lake", sql, where.values, (), ("dns",), start, end, (("times", True),), LINES)
    totals = Step("totals", "how many that are in all", "lake", sums, where.values, (), ("dns",), start, end)
    return Plan((step, totals), lambda rows: _told(scope, step, limit, failed, rows), (note,) if note else ())


_COLUMNS: Columns = {
    "client": "orig_h",
    "clients": "clients",
    "name": "name",
    "times": "times",
    "different names": "names",
    "failed": lambda r: r["failed"] or None,
    "answers": "rcodes",
    "types": "types",
    **TIMES,
}


_BY = {"orig_h": "client", "orig_h, name": "client and name", "name": "domain"}


def _told(scope: Scope, step: Step, limit: int, failed: bool, rows: Rows) -> Answer:
    found = rows["lookups"]
    if not found:
        return Answer(f"No such look-up was seen ({nothing(scope, step.start_us, step.end_us, 'dns')}).", found=False)
    what = "failed look-up" if failed else "look-up"
    totals = [t for t in rows["totals"] if t["times"]]
    told = "; ".join(_total(t, what, len(totals) > 1) for t in totals)
    first = str(found[0].get("name") or found[0]["orig_h"])[:NAME]
    more = f"; the first {limit} lines are shown" if len(found) > limit else ""
    return Answer(
        f"{told}, most often {first} ({found[0]['times']:,}){more}.",
        (table("look-ups", found[:limit], {**_COLUMNS, **sensor_column(found)}),),
    )


def _total(total: Row, what: str, several: bool) -> str:
    """What one sensor saw in all; nothing is added across sensors."""
    verb = "is" if total["times"] == 1 else "are"
    by = f"by {counted(total['clients'], 'host')}"
    seen = f"there {verb} {counted(total['times'], what)} of {counted(total['names'], 'name')} {by}"
    return f"{total['sensor']}: {seen}" if several else seen[0].upper() + seen[1:]
