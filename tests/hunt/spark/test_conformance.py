"""Every detector and derived table that is registered gives on Spark what it gives on DuckDB; so do the alerts.

`make spark` runs it. A lake of several sensors is hunted once on Spark, and what each query gave is kept for the
comparison. With AEGIS_HUNT_ALL=1 the lake is that of all scenarios of the lab and, where they are, of the public logs.
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from aegis_enrich import registry
from aegis_enrich.detect.evaluate import Evaluation, derived_schema, stamped
from aegis_enrich.detect.scheduler import Watch
from aegis_enrich.detect.together import ROWS, Together, spanning
from aegis_enrich.hunt import hunting
from aegis_enrich.hunt.hunt import Hunt, OnDuckDB
from aegis_enrich.hunt.plan import Plan
from aegis_enrich.pipeline.engine import Parts

REGISTRY = registry.load()
LAB = Path(__file__).parents[2] / "data" / "lab"
PUBLIC = Path(os.environ.get("AEGIS_PUBLIC_DATA", LAB.parents[3] / "shared" / "data" / "public"))
ALL = bool(os.environ.get("AEGIS_HUNT_ALL"))
ASKED = ALL or os.environ.get("AEGIS_SPARK")
pytestmark = pytest.mark.skipif(not ASKED, reason="takes minutes: `make spark` runs it")
SENSORS = {
    "north": ("multistage/tsv", "dga/tsv", "exfil/json"),
    "south": ("beacon_https_60s/tsv", "dns_tunnel/tsv", "ssh_bruteforce/tsv", "scan_udp/tsv", "latency_5h/tsv"),
    "east": ("dns_tunnel/eve.json.gz", "icmp_tunnel/eve.json.gz", "loss_20/eve.json.gz"),
    "west": ("exfil/eve.json.gz", "multistage/tsv", "multistage/eve.json.gz"),  # Suricata alone, then both
}
OF_CORRELATION = ("incident", "corroborated_by", "lead", "revision", "status")


def sensors() -> dict[str, list[Path]]:
    if not ALL:
        return {name: [LAB / path for path in paths] for name, paths in SENSORS.items()}
    made: dict[str, list[Path]] = defaultdict(list)
    for number, folder in enumerate(sorted(p for p in LAB.iterdir() if p.is_dir())):
        made[f"zeek{number % 3}"].append(folder / "tsv")
        made[f"eve{number % 2}"].append(folder / "eve.json.gz")
        if number % 4 == 0:
            made["both"] += [folder / "tsv", folder / "eve.json.gz"]
    for folder in sorted(PUBLIC.iterdir()) if PUBLIC.is_dir() else ():
        made[f"public-{folder.name}"] = [folder]
    return {name: [p for p in paths if p.exists()] for name, paths in made.items()}


@dataclass(frozen=True)
class Features(Evaluation):
    """Keeps the features instead of scoring them."""

    def made(self, batches: Any) -> Any:
        rows = list(batches)
        return pa.Table.from_batches(rows) if rows else None


@dataclass
class Hunted:
    """A hunt on Spark, with what each query of it gave."""

    hunt: Hunt
    hours: dict[str, pa.Table] = field(default_factory=dict)
    features: dict[str, list[Told]] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    here: set[str] = field(default_factory=set)  # detectors that ran on DuckDB instead


@pytest.fixture(scope="module")
def hunted(spark: Any, parts: Parts, analyzed: Callable[..., Path]) -> Iterator[Hunted]:
    from aegis_enrich.hunt.spark.lift import WINDOW
    from aegis_enrich.hunt.spark.run import OnSpark
    from aegis_enrich.hunt.spark.score import fitted

    class Recorder(OnSpark):
        def derive(self, hunt: Hunt, table: Any) -> Any:
            rows = super().derive(hunt, table)
            kept.hours[table.name] = (
                derived_schema(table).empty_table() if rows is None else rows.toArrow().cast(derived_schema(table))
            )
            return rows

        @contextmanager
        def features(self, hunt: Hunt, watch: Watch, windows: Any) -> Iterator[Any]:
            with super().features(hunt, watch, windows) as (numbers, schema, rows):
                table = rows.toArrow()
                values = fitted(table, schema).to_pylist() if table.num_rows else []
                given = zip(table[WINDOW].to_pylist(), values, strict=True)
                kept.features.setdefault(watch.detector.name, []).extend(
                    told(numbers.sensor(n), numbers.window(n).end_us, row) for n, row in given
                )
                if watch.detector.idle(watch.tuning):
                    table = table.slice(0, 0)
                yield numbers, schema, self.spark.createDataFrame(table) if table.num_rows else rows.limit(0)

        def _failed(self, hunt: Hunt, name: str, windows: Any, error: Exception) -> None:
            kept.errors[name] = str(error)  # told by the test of that table or detector

        def _detect_here(self, hunt: Hunt, watch: Watch, windows: Any) -> None:
            kept.here.add(watch.detector.name)
            super()._detect_here(hunt, watch, windows)

    state = analyzed(sensors())
    with hunting(parts, [state], progress=lambda what, done, of: print(what, flush=True)) as hunt:  # noqa: T201
        with hunt.past.transaction() as tx:
            tx.execute("DELETE FROM segments WHERE derived = 1")  # all are missing
        hunt.past.renew = lambda: None  # type: ignore[method-assign]
        hunt.plan = every_plugin(hunt)
        kept = Hunted(hunt)
        kept.alerts = hunt.run(Recorder(spark.spark))
        yield kept


def every_plugin(hunt: Hunt) -> Plan:
    """The plan for all that is registered: those too that find nothing without a model, and tables nobody reads."""
    rules = {rule.detector.name: rule for rule in hunt.rules.detectors.values()}
    watches = [
        Watch(d, rules[name].tuning if name in rules else d.tuning(), None) for name, d in REGISTRY.detectors.items()
    ]
    watches += [w for name, w in hunt.plan.watches.items() if name not in REGISTRY.detectors]  # Sigma's
    plan = Plan(
        hunt.past, watches, REGISTRY.tables, hunt.schema, hunt.decider.window, lambda tx, unit: None, hunt.plan.limits
    )
    plan.tables = dict(REGISTRY.tables)
    return plan


class Told(NamedTuple):
    """A row: what must be equal, and its numbers that are not whole, in their order."""

    exact: str
    numbers: tuple[float, ...]


def told(*parts: Any) -> Told:
    numbers: list[float] = []

    def exact(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: exact(value[k]) for k in sorted(value)}
        if isinstance(value, list | tuple):
            return [exact(v) for v in value]
        if not isinstance(value, float):
            return value
        if value != value:
            return None
        numbers.append(value)
        return "a number"

    return Told(json.dumps(exact(parts), default=str), tuple(numbers))


def differs(expected: list[Told], made: list[Told]) -> list[str]:
    """The first rows without a counterpart: whole numbers and texts equal, others to 6 digits."""
    missing: dict[str, list[Told]] = defaultdict(list)
    for row in sorted(expected):
        missing[row.exact].append(row)
    more = []
    for row in sorted(made):
        alike = missing[row.exact]
        found = next((n for n, one in enumerate(alike) if _equal(one.numbers, row.numbers)), None)
        more += [row] if found is None else []
        if found is not None:
            alike.pop(found)
    lost = [row for rows in missing.values() for row in rows]
    return [f"- {row}" for row in lost[:3]] + [f"+ {row}" for row in more[:3]]


def _equal(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in zip(one, other, strict=True))


def test_what_differs_is_told() -> None:
    row = told("one", 3, {"b": 4.7936425, "a": [None, 2.0**40]})
    assert differs([row], [told("one", 3, {"a": [None, 2.0**40], "b": 4.793642500000001})]) == []
    assert differs([row], [told("one", 3, {"b": 4.79365, "a": [None, 2.0**40]})])[0].startswith("- ")
    assert differs([row], [told("one", 4, {"b": 4.7936425, "a": [None, 2.0**40]})]) != []
    assert [t[0] for t in differs([row, row], [row])] == ["-"]
    assert [t[0] for t in differs([row], [row, row])] == ["+"]
    assert differs([told(math.nan, 1.0)], [told(None, 1.0)]) == [] != differs([told(0.0)], [told(None)])


def test_no_query_goes_through_too_many_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    from aegis_enrich.detect.windows import Window
    from aegis_enrich.hunt.spark import run

    windows = {s: [Window(n - 24, n) for n in range(24, 34)] for s in ("a", "b")}
    beaconing = REGISTRY.detectors["beaconing"]  # windows of 24 hours, an hour apart
    assert list(run.batches(windows, beaconing)) == [windows]
    monkeypatch.setattr(run, "MOST_SLICES", 24 * 3)
    parts = list(run.batches(windows, beaconing))
    assert [sum(map(len, part.values())) for part in parts] == [3, 3, 3, 3, 3, 3, 2]
    assert {s: [w for part in parts for w in part.get(s, ())] for s in windows} == windows


@pytest.mark.parametrize("name", REGISTRY.tables)
def test_derived_tables(name: str, hunted: Hunted) -> None:
    assert name not in hunted.errors, hunted.errors[name]
    plan, table = hunted.hunt.plan, REGISTRY.tables[name]
    expected = [
        told(row)
        for sensor in hunted.hunt.past.sensors
        for hour in plan.hours_missing(table, sensor)
        for row in stamped(plan._derivation(table, sensor, hour).run(), sensor, hour.start_us).to_pylist()
    ]
    assert differs(expected, [told(row) for row in hunted.hours[name].to_pylist()]) == []


@pytest.mark.parametrize("name", REGISTRY.detectors)
def test_features(name: str, hunted: Hunted) -> None:
    plan, detector = hunted.hunt.plan, REGISTRY.detectors[name]
    plan._temporary = {
        (sensor, table): [rows.filter(pa.compute.equal(rows["sensor"], sensor))]
        for table, rows in hunted.hours.items()
        for sensor in hunted.hunt.past.sensors
    }
    expected = []
    for sensor in hunted.hunt.past.sensors:
        made = {
            hour
            for table in detector.derived
            for rows in plan._temporary.get((sensor, table), ())
            for hour in rows["hour_us"].to_pylist()
        }
        windows = plan.windows_of(detector, sensor, made)
        for window, rows in zip(windows, _features(plan, plan.watches[name], sensor, windows), strict=True):
            expected += [
                told(sensor, window.end_us, row) for row in (rows.to_pylist() if isinstance(rows, pa.Table) else ())
            ]
    assert name not in hunted.errors, hunted.errors[name]
    assert name not in hunted.here, "it ran on DuckDB, for its query does not carry over"
    assert differs(expected, hunted.features.get(name, [])) == []


def _features(plan: Plan, watch: Watch, sensor: str, windows: list[Any]) -> list[Any]:
    def over(window: Any) -> Features:
        e = plan._evaluation(watch, sensor, window)
        return Features(e.detector, e.sensor, e.window, e.views, e.tuning, e.limits)

    if len(windows) > 1 and plan._may(together := Together(over(spanning(windows)), tuple(windows))):
        assert together.rows <= ROWS
        return together.run()
    return [over(window).run() for window in windows]


def test_the_lake_is_worth_it(hunted: Hunted) -> None:
    """Most of what is compared has rows."""
    assert sum(rows.num_rows > 0 for rows in hunted.hours.values()) >= 15
    assert sum(bool(rows) for rows in hunted.features.values()) >= 10
    assert len(hunted.alerts) >= 8


def test_alerts(hunted: Hunted, parts: Parts, analyzed: Callable[..., Path]) -> None:
    with hunting(parts, [analyzed(sensors())]) as hunt:
        expected = hunt.run(OnDuckDB())
    assert differs([told(_plain(d)) for d in expected], [told(_plain(d)) for d in hunted.alerts]) == []


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "aegis": {k: v for k, v in document["aegis"].items() if k not in OF_CORRELATION}}
