"""What a disturbed run must have in common with an undisturbed one, and what is left out.

Left out: of alerts and incidents `event.created` and `event.ingested` (wall clock), `aegis.revision` and `aegis.status`
(how often and when they were delivered) against the other run; between store, NDJSON and Elasticsearch of one run only
the two times of delivery. Of dead letters the place where the line lay, since files are cut otherwise. Of segments
everything but their rows (whole rows are compared).
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from elasticsearch_server import Server
from scenes import content

from aegis_enrich.correlate import incident_documents
from aegis_enrich.decide.decider import STORED, alert_documents
from aegis_enrich.follow import names
from aegis_enrich.follow.follower import LOG_NAMES
from aegis_enrich.store import Store
from aegis_plugins.sinks.elasticsearch.rows import row_document

Documents = dict[str, Mapping[str, Any]]
SHOWN = 3  # examples of a difference


@dataclass
class Found:
    """How much is missing, is there twice, or is another; with examples."""

    lost: int = 0
    doubled: int = 0
    differ: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.differ)

    def add(self, other: Found) -> None:
        self.lost += other.lost
        self.doubled += other.doubled
        self.differ += other.differ
        self.said += other.said

    def counted(self, what: str, want: Counter[Any], got: Counter[Any]) -> None:
        """Things that are there as often as wanted."""
        lost, doubled = want - got, got - want
        self.lost += lost.total()
        self.doubled += doubled.total()
        for kind, some in (("lost", lost), ("too many", doubled)):
            if some:
                shown = "; ".join(str(key)[:300] for key in sorted(some, key=str)[:SHOWN])
                self.said.append(f"{what}: {some.total()} {kind}: {shown}")

    def documents(self, what: str, want: Mapping[str, str], got: Mapping[str, str]) -> None:
        """Documents by id, field by field."""
        self.counted(what, Counter(want.keys()), Counter(got.keys()))
        others = [key for key in sorted(want.keys() & got.keys()) if want[key] != got[key]]
        self.differ += len(others)
        for key in others[:SHOWN]:
            for path, (left, right) in differences(json.loads(want[key]), json.loads(got[key])).items():
                self.said.append(f"{what} {key}: {path}: wanted {left!r:.200}, found {right!r:.200}")

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.differ += 1
            self.said.append(what)


def differences(want: Any, got: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Where two documents differ: dotted path to both values."""
    if isinstance(want, dict) and isinstance(got, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted(want.keys() | got.keys()):
            found |= differences(want.get(key), got.get(key), f"{path}.{key}".lstrip("."))
        return found
    return {} if want == got else {path: (want, got)}


@dataclass(frozen=True)
class State:
    """All that a state holds: what runs must have in common, and the newest documents with status and revision."""

    alerts: dict[str, str]
    incidents: dict[str, str]
    newest: dict[str, str]
    rows: Counter[tuple[str, str]]
    documents: dict[str, Counter[str]]
    bad: Counter[tuple[str, bytes, str]]
    refused: int
    late: list[Any]
    failed: list[Any]
    closed: int
    lost_bytes: int


def state_of(folder: Path, tables: Iterable[str] = ()) -> State:
    """`tables`: those of which each row's document is made as well."""
    with Store(folder, read_only=True) as store:
        every = alert_documents(store.query(f"SELECT {STORED} FROM alerts"))
        alerts = [d for d in every if d["aegis"]["status"] != "withdrawn"]
        incidents = incident_documents(store)
        letters = store.query("SELECT origin, body, reason FROM dead_letters")
        return State(
            by_id(alerts, content),
            by_id(incidents, content),
            by_id([*every, *incident_documents(store, "true")], delivered),
            *lake(store, tables),
            Counter((log_of(o), bytes(b), r) for o, b, r in letters if not o.startswith("sink:")),
            sum(o.startswith("sink:") for o, _, _ in letters),
            store.query("SELECT * FROM late_windows"),
            store.query("SELECT * FROM windows_failed"),
            sum(d["aegis"]["status"] == "closed" for d in alerts),
            sum(value for (name, _), value in store.counters().items() if name == "lost_bytes"),
        )


def by_id(documents: Iterable[Mapping[str, Any]], text: Callable[[Mapping[str, Any]], str]) -> dict[str, str]:
    return {d["event"]["id"]: text(d) for d in documents}


def delivered(document: Mapping[str, Any]) -> str:
    """All of a document but when it was sent."""
    doc = json.loads(json.dumps(document))
    for key in ("created", "ingested"):
        doc["event"].pop(key, None)
    return json.dumps(doc, sort_keys=True)


def log_of(path: str) -> str:
    kind = names.parse(Path(path).name, LOG_NAMES)
    return kind.name if kind else path


def lake(store: Store, tables: Iterable[str]) -> tuple[Counter[tuple[str, str]], dict[str, Counter[str]]]:
    """The rows by the manifest: (table, whole row as JSON), how often each; and the documents of some tables' rows."""
    rows: Counter[tuple[str, str]] = Counter()
    documents: dict[str, Counter[str]] = {table: Counter() for table in tables}
    paths: dict[str, list[str]] = {}
    for table, path in store.query("SELECT tbl, path FROM segments WHERE tombstone_us IS NULL AND derived = 0"):
        paths.setdefault(table, []).append(str(store.root / path))
    for table, files in paths.items():
        for row in (row for file in files for row in pq.ParquetFile(file).read().to_pylist()):
            rows[table, json.dumps(row, default=str, sort_keys=True)] += 1
            if table in documents:
                document = json.dumps(row_document(table, row), ensure_ascii=False, default=str)
                documents[table][delivered(json.loads(document))] += 1
    return rows, documents


def rows_committed(folder: Path) -> tuple[int, int]:
    """Of a state in use: the rows that its logs count as committed, and those that its segments hold."""
    with sqlite3.connect(f"file:{folder / 'state.db'}?mode=ro", uri=True, timeout=10) as state:
        query = (
            "SELECT (SELECT coalesce(sum(rows), 0) FROM logs), (SELECT coalesce(sum(rows), 0) FROM segments"
            " WHERE derived = 0 AND tombstone_us IS NULL)"
        )
        counted, held = state.execute(query).fetchone()
    state.close()
    return int(counted), int(held)


def compare(want: State, got: State, truncated: int = 0) -> Found:
    """A disturbed run's state against the undisturbed run's.

    `truncated`: how often a log was emptied that was read to its end. Of one that is found so after a start nobody can
    know that, so it may be told as an unknown loss, which counts as one byte.
    """
    found = Found()
    found.documents("alert", want.alerts, got.alerts)
    found.documents("incident", want.incidents, got.incidents)
    found.counted("row", want.rows, got.rows)
    found.counted("bad line", want.bad, got.bad)
    for name, state in (("undisturbed", want), ("disturbed", got)):
        found.must(not state.late, f"late rows in the {name} run: {state.late[:SHOWN]}")
        found.must(not state.failed, f"failed windows in the {name} run: {state.failed[:SHOWN]}")
        found.must(not state.refused, f"{state.refused} documents were refused in the {name} run")
        found.must(
            state.lost_bytes <= (truncated if state is got else 0),
            f"the {name} run says that {state.lost_bytes} bytes are lost",
        )
    return found


def compare_lines(found: Found, state: State, path: Path) -> None:
    """NDJSON: each revision once, and the newest of each as the state has it."""
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            found.must(False, f"no JSON in NDJSON: {line[:100]!r}")
    revisions = Counter((d["event"]["id"], d["aegis"]["revision"]) for d in lines)
    found.counted("line of NDJSON", Counter(revisions.keys()), revisions)
    newest = {d["event"]["id"]: d for d in sorted(lines, key=lambda d: d["aegis"]["revision"])}
    want = {key: text for key, text in state.newest.items() if key in newest or key in state.alerts}
    found.documents("alert in NDJSON", want, by_id(newest.values(), delivered))


def compare_index(found: Found, state: State, server: Server, sensor: str, tables: Iterable[str]) -> None:
    """Elasticsearch: each alert and incident as the state has it, under its revision; each log row once."""
    hits = [h for alias in ("aegis-alerts-*", "aegis-incidents-*") for h in server.documents(alias)]
    found.documents("document in Elasticsearch", state.newest, by_id([h["_source"] for h in hits], delivered))
    ids = Counter(h["_id"] for h in hits)
    found.counted("id in Elasticsearch", Counter(ids.keys()), ids)
    for hit in hits:
        revision = hit["_source"]["aegis"]["revision"]
        found.must(hit["_version"] == revision, f"{hit['_id']}: version {hit['_version']}, revision {revision}")
    for table in tables:
        hits = server.documents(f"logs-aegis.{table}-default", term={"observer.name": sensor})
        indexed = Counter(delivered(h["_source"]) for h in hits)
        found.counted(f"{table} in Elasticsearch", state.documents[table], indexed)
