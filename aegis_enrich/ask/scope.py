"""What the state holds: its newest time, its tables and sensors, and the names that a question may use."""

from __future__ import annotations

import csv
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..config import Config
from ..plugin import DAY_US, HOUR_US
from ..prefixes import is_address, parse_network
from ..store import Store
from ..yaml_text import load as load_yaml
from ..yaml_text import text_of
from .reading import Reading
from .times import said

MOST_ROWS = 50_000_000  # rows behind a question that names no time, above which it is asked of the last hour only
DEFAULT_US = DAY_US


@dataclass(frozen=True)
class Scope:
    """Times in µs of event time. `now_us`: the newest event; `tables`: rows by table, and `bounds` the first and last
    of them; `names`: kind, name, value."""

    store: Store
    config: Config
    now_us: int
    first_us: int
    sensors: tuple[str, ...]
    tables: Mapping[str, int]
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not self.tables

    def rows(self, tables: tuple[str, ...], start_us: int, end_us: int) -> int:
        """How many rows the manifest names in a span, at most."""
        marks = ", ".join("?" * len(tables))
        return int(
            self.store.query(
                f"SELECT coalesce(sum(rows), 0) FROM segments WHERE tbl IN ({marks}) AND tombstone_us IS NULL"
                " AND max_us >= ? AND min_us < ?",
                [*tables, start_us, end_us],
            )[0][0]
        )

    def span(self, reading: Reading, tables: tuple[str, ...]) -> tuple[int, int, str]:
        """The span that a question's row queries cover, and a note of how it came to be.

        Without a time in the question it is the last 24 hours that these tables hold, or the last hour where those
        hold very many rows.
        """
        named = reading.spans
        if named:
            starts, ends = [s.start_us for s in named], [s.end_us for s in named]
            start = self.first_us if None in starts else max(s for s in starts if s is not None)
            end = min((e for e in ends if e is not None), default=self.now_us + 1)
            first = self.first_us if self.first_us < end else start
            return max(start, first), max(min(end, self.now_us + 1), start), ""
        end = 1 + max((self.bounds[t][1] for t in tables if t in self.bounds), default=self.now_us)
        start = max(self.first_us, end - DEFAULT_US)
        what = "the last 24 hours of rows"
        if self.rows(tables, start, end) > MOST_ROWS:
            start, what = max(self.first_us, end - HOUR_US), "the last hour of rows (there are very many)"
        if start <= self.first_us:
            return self.first_us, end, ""
        return start, end, f"no time is named: {what}, since {said(start)}; say `ever` for all"

    def alert_span(self, reading: Reading) -> tuple[int | None, int | None]:
        """The span of alerts: of all times unless the question names one."""
        starts = [s.start_us for s in reading.spans if s.start_us is not None]
        ends = [s.end_us for s in reading.spans if s.end_us is not None]
        return (max(starts) if starts else None), (min(ends) if ends else None)


def scope_of(store: Store, config: Config) -> Scope:
    """What this state holds; `now_us` is 0 where it holds nothing."""
    rows = store.query(
        "SELECT tbl, sensor, sum(rows), min(min_us), max(max_us) FROM segments"
        " WHERE tombstone_us IS NULL AND derived = 0 GROUP BY tbl, sensor"
    )
    tables: dict[str, int] = {}
    bounds: dict[str, tuple[int, int]] = {}
    for table, _, count, first, last in rows:
        tables[table] = tables.get(table, 0) + int(count)
        least, most = bounds.get(table, (first, last))
        bounds[table] = (min(least, first), max(most, last))
    alerts = store.query("SELECT min(first_us), max(last_us) FROM alerts WHERE status != 'withdrawn'")[0]
    firsts = [int(r[3]) for r in rows] + ([int(alerts[0])] if alerts[0] is not None else [])
    lasts = [int(r[4]) for r in rows] + ([int(alerts[1])] if alerts[1] is not None else [])
    sensors = tuple(sorted({str(r[1]) for r in rows}))
    names: dict[str, Mapping[str, Any]] = {
        "sensor": {name.lower(): name for name in sensors if name != "sensor"},
        "net": _networks(config.file(config.networks, "networks.yml")),
        "host": _assets(config.file(config.assets, "assets.csv")),
    }
    return Scope(store, config, max(lasts, default=0), min(firsts, default=0), sensors, tables, bounds, names)


def _networks(path: Path) -> dict[str, tuple[str, ...]]:
    """The site's named networks; a file that does not check is `rules check`'s to tell of."""
    try:
        data = load_yaml(text_of(path)) or {}
        named = data.get("networks") or {}
        return {
            str(name).lower(): tuple(
                str(parse_network(str(n))) for n in (cidrs if isinstance(cidrs, list) else [cidrs])
            )
            for name, cidrs in named.items()
        }
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return {}


def _assets(path: Path) -> dict[str, str]:
    """Names of assets that are one address; what does not check is `rules check`'s to tell of."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        return {}
    named = {}
    for row in csv.reader(line for line in lines if not line.lstrip().startswith("#")):
        if len(row) > 1 and row[1].strip() and is_address(row[0].strip()):
            named[row[1].strip().lower()] = str(ipaddress.ip_address(row[0].strip()))
    return named


def learned(store: Store, words: list[str]) -> dict[str, dict[str, Any]]:
    """What the alerts know by these words: an AS's name (or its first word), or a host's name."""
    wanted = {w.lower() for w in words}
    found: dict[str, dict[str, Any]] = {"as": {}, "domain": {}, "city": {}}
    rows = store.query(
        "SELECT DISTINCT t.key, t.value, t.path FROM alerts AS a, json_tree(a.document) AS t"
        " WHERE t.atom IS NOT NULL AND t.type = 'text' AND (t.path LIKE '%.as.organization' AND t.key = 'name'"
        " OR t.key IN ('city_name', 'domain'))"
    )
    for key, value, _ in rows:
        for word in wanted:
            names = {str(value).lower(), str(value).lower().split()[0].strip(",.")} if value else set()
            if word in names:
                found[{"name": "as", "city_name": "city"}.get(key, "domain")][word] = value
    return {kind: named for kind, named in found.items() if named}
