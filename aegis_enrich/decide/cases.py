"""The `tests` inside a rule: rows to be made and what is to come of them; checked here, run by `testing`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..plugin import CONTEXT
from ..tables import TABLES
from .attack import attack
from .conditions import Conditions, parse
from .seen import FACTS
from .severities import SEVERITIES
from .source import Key, Source

PARTS = ("entity", "context", "evidence")
KNOWN = tuple(fact for fact in FACTS if fact != "internal")  # which `scope` says
MOST_ROWS = 100_000  # of one row's repeats


@dataclass(frozen=True)
class Repeat:
    """`count` rows, each a step (column -> what is added) further; the steps are gone through round and round."""

    count: int
    steps: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class CaseRow:
    """A row as it is written; `where` is its file and line."""

    table: str
    columns: Mapping[str, Any]
    repeats: tuple[Repeat, ...]
    where: str


@dataclass(frozen=True)
class Expectation:
    """How many alerts, and what each of them must be; `severity` and `techniques` None: any."""

    alerts: int
    where: str
    severity: int | None = None
    techniques: tuple[str, ...] | None = None
    parts: Mapping[str, Conditions] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One test of a rule."""

    name: str
    rows: tuple[CaseRow, ...]
    expect: Expectation
    where: str
    tuning: Any = None  # the detector's, where the test says something over that of the rule
    site: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # address -> what is known of it there


def parse_cases(source: Source, *, tuned: bool = True) -> tuple[Case, ...]:
    """The tests of a rule, `tuned` where they may say a tuning; problems are noted in `source`."""
    found = []
    for number, item in enumerate(source.items("tests")):
        key = ("tests", number)
        if not isinstance(item, dict):
            source.wrong("a test is a mapping with name, rows and expect; rules/README.md shows one", *key)
            continue
        keys = ("name", "rows", "site", "expect", *(("tuning",) if tuned else ()))
        source.unknown_keys(keys, *key, of=" in a test")
        name = source.text("name", *key, required=True)
        rows = _rows(source, (*key, "rows"), item.get("rows"))
        expect, site = _expectation(source, (*key, "expect"), item), _site(source, key)
        found.append(Case(name, rows, expect, source.where(*key), site=site))
    return tuple(found)


def _site(source: Source, key: Key) -> dict[str, dict[str, Any]]:
    """What enrichers would say of addresses, in the words of conditions without the side: `{10.0.0.5: {net: dmz}}`."""
    found: dict[str, dict[str, Any]] = {}
    for address in source.mapping("site", *key):
        at = (*key, "site", address)
        source.unknown_keys(KNOWN, *at, of=" of an address")
        said = source.mapping(address, *key, "site")
        found[str(address)] = {FACTS[name]: value for name, value in said.items() if name in KNOWN}
    return found


def _rows(source: Source, key: Key, tables: Any) -> tuple[CaseRow, ...]:
    if not isinstance(tables, dict) or not tables:
        source.wrong("rows: a mapping of tables to lists of rows is expected, like {conn: [{orig_h: 10.0.0.5}]}", *key)
        return ()
    found = []
    for table, rows in tables.items():
        if table not in TABLES:
            source.wrong(f"there is no table {table!r}; there are {', '.join(TABLES)}", *key, table)
            continue
        for number, row in enumerate(rows) if isinstance(rows, list) else [(0, None)]:
            at = (*key, table, number)
            if isinstance(row, dict):
                repeats = _repeats(source, (*at, "repeat"), row["repeat"]) if "repeat" in row else ()
                columns = {c: v for c, v in row.items() if c != "repeat"}
                found.append(CaseRow(table, columns, repeats, source.where(*at)))
            else:
                source.wrong(f"{table}: a list of rows is expected, each a mapping of columns to values", *at)
    return tuple(found)


def _repeats(source: Source, key: Key, value: Any) -> tuple[Repeat, ...]:
    nested = isinstance(value, list)
    found = []
    rows = 1
    for number, item in enumerate(value if nested else [value]):
        at = (*key, number) if nested else key
        count = item.get("count") if isinstance(item, dict) else None
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            source.wrong("repeat: write it like {count: 20, step: {ts: 60}}, with a count from 1", *at)
            continue
        source.unknown_keys(("count", "step"), *at, of=" in repeat")
        rows *= count
        found.append(Repeat(count, _steps(source, (*at, "step"), item.get("step"))))
    if rows > MOST_ROWS:
        source.wrong(f"repeat: {rows:,} rows of one; write at most {MOST_ROWS:,}", *key)
        return ()
    return tuple(found)


def _steps(source: Source, key: Key, value: Any) -> tuple[Mapping[str, float], ...]:
    if value is None:
        return ()
    steps = value if isinstance(value, list) else [value]
    for step in steps:
        numbers = step.values() if isinstance(step, dict) else [None]
        if not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
            source.wrong("step: columns and the numbers that are added are expected, like {ts: 60, orig_p: 1}", *key)
            return ()
    return tuple(steps)


def _expectation(source: Source, key: Key, item: Mapping[str, Any]) -> Expectation:
    where, expect = source.where(*key), item.get("expect")
    if expect == "none":
        return Expectation(0, where)
    if not isinstance(expect, dict):
        source.wrong("expect: write none, or what each alert must be, like {severity: high}", *key)
        return Expectation(0, where)
    source.unknown_keys(("alerts", "severity", "attack", *PARTS), *key, of=" in expect")
    alerts = source.number("alerts", *key, default=1, least=1)
    if alerts != int(alerts):
        source.wrong(f"alerts: {alerts!r} is not a whole number", *key, "alerts")
    severity = source.choice("severity", tuple(SEVERITIES), *key, default="") if "severity" in expect else ""
    parts = {part: parse(source, expect[part], *key, part) for part in PARTS if part in expect}
    for part in (p for p, conditions in parts.items() if conditions.some):
        source.wrong("any: what each alert must be is said column by column", *key, part, "any")
    for name in parts.get("context", Conditions()).fields:
        if name not in CONTEXT:
            source.wrong(f"context: the document has no {name!r}; it has {', '.join(CONTEXT)}", *key, "context", name)
    return Expectation(int(alerts), where, SEVERITIES.get(severity), _techniques(source, key, expect), parts)


def _techniques(source: Source, key: Key, expect: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "attack" not in expect:
        return None
    written = source.texts("attack", *key)
    for technique in written:
        if not attack().knows(technique):
            source.wrong(f"attack: {technique!r} is not in the table of ATT&CK {attack().version}", *key, "attack")
    return written
