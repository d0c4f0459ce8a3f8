"""What the report tells, read from a state: alerts, incidents and their stories, hosts, beacons, network health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..correlate.advice import adviser
from ..correlate.hosts import Ranked, rank
from ..correlate.load import Correlation
from ..correlate.read import LIVING, incident_documents
from ..correlate.story import Story, tell
from ..decide.decider import STORED, alert_documents
from ..decide.rules import RuleSet
from ..detect.evaluate import Limits
from ..store import Store
from .clock import micros
from .lake import Lake, Row
from .rhythm import Rhythm, rhythm, rhythms
from .stretch import Stretch, stretch

MOST_ALERTS = 3_000  # documents that are read, the worst; all are counted
MOST_INCIDENTS = 200
TOLD = 20  # incidents whose stories are told
BEACONS, LOW_BEACONS = 12, 3  # whose rhythm is drawn; of low severity, for most of these are updates
TALKERS = 15
LOW = 21
SENSORS = 4  # whose health is shown: those with the most rows
REASONS = 8  # why lines could not be read
Document = dict[str, Any]


@dataclass(frozen=True)
class Log:
    """What was read of a log of one sensor."""

    sensor: str
    name: str
    files: int
    rows: int
    bad: int


@dataclass(frozen=True)
class Told:
    """An incident; `story` of the worst only."""

    document: Document
    story: Story | None


@dataclass(frozen=True)
class Reading:
    """How a report is to be read: its span of event time in µs, and the rules in force, where they check."""

    since_us: int | None = None
    until_us: int | None = None
    rules: RuleSet | None = None
    correlation: Correlation | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Contents:
    """All that the page tells. Times in µs of event time; `seen`: (tactic, technique) -> number of alerts."""

    reading: Reading
    first_us: int | None
    last_us: int | None
    stretch: Stretch | None
    logs: tuple[Log, ...]
    reasons: tuple[tuple[str, int], ...]
    late: tuple[tuple[str, int], ...]
    failed: int
    severities: Mapping[int, int]
    alerts: tuple[Document, ...]
    incident_count: int
    incidents: tuple[Told, ...]
    hosts: tuple[Ranked, ...]
    seen: Mapping[tuple[str, str], int]
    talkers: tuple[Row, ...]
    health: Mapping[str, Mapping[str, list[Row]]]
    beacon_count: int
    beacons: tuple[Rhythm, ...]

    @property
    def alert_count(self) -> int:
        return sum(self.severities.values())

    @property
    def rows(self) -> int:
        """Those of the whole state, whatever the span."""
        return sum(log.rows for log in self.logs)

    @property
    def of_span(self) -> bool:
        """Whether the report is of a part of the state's time."""
        return self.reading.since_us is not None or self.reading.until_us is not None

    @property
    def sensors(self) -> tuple[str, ...]:
        return tuple(sorted({log.sensor for log in self.logs}))


def read(store: Store, reading: Reading) -> Contents:
    """Everything of a state, in the span that is asked for; raises StateError where rows cannot be read."""
    lake = Lake(store, reading.limits)
    first_us, last_us = newest(store, reading.since_us, reading.until_us)
    alerts = _alerts(store, reading)
    worst_us = micros(alerts[0]["aegis"]["first_seen"]) if alerts else None
    shown = stretch(store, reading.since_us, reading.until_us, worst_us)
    beacons = rhythms(alerts)
    incidents, number = _incidents(store, reading)
    return Contents(
        reading=reading,
        first_us=first_us,
        last_us=last_us,
        stretch=shown,
        logs=_logs(store),
        reasons=_reasons(store),
        late=tuple(
            store.query(
                "SELECT detector, sum(rows) FROM late_windows GROUP BY detector ORDER BY sum(rows) DESC, detector"
            )
        ),
        failed=store.query("SELECT count(*) FROM windows_failed")[0][0],
        severities=dict(_within(store, "SELECT severity, count(*) FROM alerts WHERE {} GROUP BY severity", reading)),
        alerts=tuple(alerts),
        incident_count=number,
        incidents=incidents,
        hosts=_hosts(store, reading),
        seen=_seen(store, reading),
        talkers=_talkers(lake, shown),
        health=_health(lake, shown),
        beacon_count=len(beacons),
        beacons=tuple(rhythm(lake, found) for found in _drawn(beacons)),
    )


def _drawn(beacons: Sequence[tuple[Mapping[str, Any], ...]]) -> list[tuple[Mapping[str, Any], ...]]:
    grave = [b for b in beacons if b[0]["event"]["severity"] > LOW]
    return [*grave, *[b for b in beacons if b not in grave][:LOW_BEACONS]][:BEACONS]


def newest(store: Store, since_us: int | None = None, until_us: int | None = None) -> tuple[int | None, int | None]:
    """The first and last `end_ts` of rows, as far as they meet the span."""
    ((first, last),) = store.query(
        "SELECT min(min_us), max(max_us) FROM segments WHERE tombstone_us IS NULL AND derived = 0"
    )
    if first is None:
        return None, None
    first, last = max(first, first if since_us is None else since_us), min(last, last if until_us is None else until_us)
    return (first, last) if first <= last else (None, None)


def _within(store: Store, sql: str, reading: Reading, *values: object) -> list[tuple[Any, ...]]:
    """A query over alerts that were seen in the span; `{}` stands for that condition."""
    since = -(2**62) if reading.since_us is None else reading.since_us
    until = 2**62 if reading.until_us is None else reading.until_us
    return store.query(sql.format("status != 'withdrawn' AND last_us >= ? AND first_us < ?"), [since, until, *values])


def _alerts(store: Store, reading: Reading) -> list[Document]:
    """The worst first."""
    sql = f"SELECT {STORED} FROM alerts WHERE {{}} ORDER BY severity DESC, score DESC, first_us, alert_id LIMIT ?"
    found = alert_documents(_within(store, sql, reading, MOST_ALERTS))
    return sorted(found, key=lambda d: (-d["event"]["risk_score"], d["@timestamp"], d["event"]["id"]))


def _incidents(store: Store, reading: Reading) -> tuple[tuple[Told, ...], int]:
    since = -(2**62) if reading.since_us is None else reading.since_us
    until = 2**62 if reading.until_us is None else reading.until_us
    where = f"{LIVING} AND last_us >= ? AND first_us < ?"
    ((number,),) = store.query(f"SELECT count(*) FROM incidents WHERE {where}", [since, until])
    worst = f"SELECT incident_id FROM incidents WHERE {where} ORDER BY risk DESC, first_us, incident_id LIMIT ?"
    documents = incident_documents(store, f"incident_id IN ({worst})", (since, until, MOST_INCIDENTS))
    advice = adviser(store, reading.rules or RuleSet({}, {}))
    return tuple(Told(d, tell(d, advice) if n < TOLD else None) for n, d in enumerate(documents)), number


def _hosts(store: Store, reading: Reading) -> tuple[Ranked, ...]:
    if reading.correlation is None:
        return ()
    health = reading.rules.health if reading.rules else ()
    ranked = rank(store, reading.correlation, health, since_us=reading.since_us)
    until = 2**62 if reading.until_us is None else reading.until_us
    return tuple(r for r in ranked if any(a.first_us < until for a in r.alerts))


def _seen(store: Store, reading: Reading) -> dict[tuple[str, str], int]:
    rows = _within(
        store,
        "SELECT json_extract(p.value, '$.tactic.id'), json_extract(p.value, '$.technique.id'), count(*)"
        " FROM alerts, json_each(alerts.document, '$.aegis.attack') AS p WHERE {} GROUP BY 1, 2 ORDER BY 1, 2",
        reading,
    )
    return {(tactic, technique): number for tactic, technique, number in rows if tactic and technique}


def _logs(store: Store) -> tuple[Log, ...]:
    rows = store.query(
        "SELECT sensor, name, count(*), sum(rows), sum(bad) FROM logs GROUP BY sensor, name ORDER BY sensor, name"
    )
    return tuple(Log(*row) for row in rows)


def _reasons(store: Store) -> tuple[tuple[str, int], ...]:
    rows = store.query(
        "SELECT reason, count(*) FROM dead_letters GROUP BY reason ORDER BY count(*) DESC, reason LIMIT ?", [REASONS]
    )
    return tuple((str(reason), int(number)) for reason, number in rows)


def _sensors(store: Store) -> list[str]:
    """The sensors with the most rows in the lake, by name."""
    rows = store.query(
        "SELECT sensor FROM segments WHERE tombstone_us IS NULL AND derived = 0"
        " GROUP BY sensor ORDER BY sum(rows) DESC, sensor LIMIT ?",
        [SENSORS],
    )
    return sorted(str(sensor) for (sensor,) in rows)


def _talkers(lake: Lake, shown: Stretch | None) -> tuple[Row, ...]:
    """By host; what several sensors saw of one is not added up: the one that saw most tells."""
    if shown is None:
        return ()
    best: dict[str, Row] = {}
    for sensor in _sensors(lake.store):
        for row in lake.ask("talkers", sensor, shown.start_us, shown.end_us, most=TALKERS):
            known = best.get(row["host"])
            if known is None or row["sent"] + row["got"] > known["sent"] + known["got"]:
                best[row["host"]] = row
    return tuple(sorted(best.values(), key=lambda r: (-r["sent"] - r["got"], r["host"]))[:TALKERS])


HEALTH = ("traffic", "connections", "retransmission", "resolution", "capture_loss", "kernel_drops")


def _health(lake: Lake, shown: Stretch | None) -> dict[str, dict[str, list[Row]]]:
    """By sensor and query: rows by `bucket` of the stretch."""
    if shown is None:
        return {}
    span = (shown.start_us, shown.end_us)
    return {s: {q: lake.ask(q, s, *span, bucket_us=shown.bucket_us) for q in HEALTH} for s in _sensors(lake.store)}
